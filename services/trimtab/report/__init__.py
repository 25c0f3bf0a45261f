"""The page that shows a backtest: one HTML file, charts and tables, no scripts and nothing from a network.

Its figures are those of the JSON document; its bytes are the same for the same run.
"""
