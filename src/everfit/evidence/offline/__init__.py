"""Evidence of one look: folds, factors of a study, many data sets, resampling."""
