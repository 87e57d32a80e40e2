"""How good plans are: tasks with what a good plan of each looks like, scores in code, the last results to compare.

`fanfold eval plan` is its face; nothing else of fanfold needs it. The tasks lie in `cases/<class>.toml`, the trees
they are planned over in `worlds/<name>.toml`; see `case` and `world` for their form.
"""
