"""An editor document becomes a wire prompt.

`document` reads the file, `widgets` gives every saved value its name, `scopes` unfolds subgraphs, `resolve` follows
links through everything that does not run, `convert` writes the prompt. Nothing here validates the prompt
(`executor.prompt` does) or invents what a file does not say; what did not fit comes out as a warning.
"""

from executor.workflow.convert import Converted, to_prompt
from executor.workflow.document import WorkflowError, is_api_prompt, is_workflow

__all__ = ["Converted", "WorkflowError", "is_api_prompt", "is_workflow", "to_prompt"]
