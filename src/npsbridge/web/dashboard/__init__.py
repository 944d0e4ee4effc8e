"""The dashboard on the admin listener: pages rendered here, complete without a script, and the JSON behind them.

What it needs of others (templates, charts) is loaded when the first page is asked for.
"""
