"""`python -m fanfold_server` is `fanfold`."""

from fanfold_server.cli import main

if __name__ == "__main__":
    main()
