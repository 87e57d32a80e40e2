"""The command line.

Exit codes, of every command:

```
0    complete
1    error
2    wrong usage: an argument or option that cannot be
3    partial: a report stands, but a subtask did not end ok or part of the scope was not examined
130  stopped by Ctrl-C (143 by SIGTERM); what has ended is kept, `fanfold resume` goes on
```
"""

import sys


def main() -> None:
    """The `fanfold` command: run it and exit with its code."""
    from .app import fanfold
    from .outcome import exit_code

    sys.exit(exit_code(lambda: fanfold.main(prog_name="fanfold", standalone_mode=False)))
