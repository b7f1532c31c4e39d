"""
In a pipeline of scikit-learn
=============================

``bpcore.sklearn`` has scikit-learn's perceptrons with its parameters and attributes: they stand in
pipelines, searches and cross-validation as the originals do.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bpcore.sklearn import MLPClassifier

X, y = load_digits(return_X_y=True)  # 1,797 digits of 8 x 8 pixels.
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)

classifier = MLPClassifier(hidden_layer_sizes=(40,), tol=1e-2, random_state=0)
model = make_pipeline(StandardScaler(), classifier).fit(X_train, y_train)
print(f"{model.score(X_test, y_test):.1%} of the test digits are right")

# %%
# What is taken for what:

figure, ax = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
ConfusionMatrixDisplay.from_estimator(model, X_test, y_test, ax=ax, cmap="Blues")
plt.show()
