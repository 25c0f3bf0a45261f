"""The decision once more, written separately and slowly, to hold the fast path against.

Everything here follows from the design's formulas and from what the docstrings of `trimtab.drift` promise; of its code
only `fast` knows anything. Numbers are whole counts of 1e-18 where the decision keeps 18 decimals, and exact fractions
elsewhere; the two roots that are irrational are taken to 60 decimals. What is rounded, and is therefore a part of the
decision: weights, the effects A, the effective drift y, the flow k^3 D, the cube h^3 / e and the impact to the nearest
1e-18 (ties to even), h down to 1e-18.
"""
