"""A model as a user would write it in a file of their own."""

import numpy as np
from sklearn.base import BaseEstimator


class OwnModel(BaseEstimator):
    """Nearest mean of each class, or of the lower and upper half of a number."""

    def fit(self, X, y, sample_weight=None):
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight)
        self.classes_ = np.unique(y)
        cut = np.median(y)
        groups = [y == c for c in self.classes_] if len(self.classes_) < 20 else [y <= cut, y > cut]
        self.means_ = np.array([np.average(X[g], axis=0, weights=weight[g]) for g in groups])
        self.values_ = np.array([np.average(y[g], weights=weight[g]) for g in groups])
        self.logs_ = np.log([weight[g].sum() for g in groups])
        return self

    def predict_proba(self, X):
        distance = ((X[:, None, :] - self.means_[None]) ** 2).mean(axis=2)
        raw = self.logs_ - distance
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        return grown / grown.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.predict_proba(X) @ self.values_
