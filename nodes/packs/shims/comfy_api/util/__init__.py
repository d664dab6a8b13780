"""What videos are made of, by the names of the first interface."""

from comfy_api.latest._util import VideoCodec, VideoComponents, VideoContainer

__all__ = ["VideoCodec", "VideoComponents", "VideoContainer"]
