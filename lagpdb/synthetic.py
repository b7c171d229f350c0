"""The sentence that goes with everything that a generator made, on pages and in exports."""

SENTENCE = (
    "Synthetic, not measured: the reference set was built from the reported numbers of a study to test the analysis. "
    "It is never mixed with measured data."
)
