"""The version whose interface packs find here: that of ComfyUI 0.8.0, which `shims/` answers for."""

__version__ = "0.8.0"
