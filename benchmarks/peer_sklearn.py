"""scikit-learn's MLPClassifier with plain gradient descent."""

import numpy as np
from peers import Peer
from sklearn.neural_network import MLPClassifier

ACTIVATIONS = {"sigmoid": "logistic", "relu": "relu"}


class Sklearn(Peer):
    packages = ("scikit-learn", "numpy")
    note = (
        "MLPClassifier.fit with warm_start, solver sgd, momentum and alpha 0, its own checks and "
        "shuffling; predictions by predict_proba"
    )

    def other_loss(self, job):
        if job.loss == "mse":
            return "log-loss of each output: MLPClassifier has no squared error after a sigmoid"
        return None

    def prepare(self, job, X, Y, labels, weights, biases):
        self.job, self.X = job, X
        # A matrix of 0 and 1 makes independent sigmoid outputs, labels make a softmax.
        self.y = Y if job.output == "sigmoid" and job.sizes[-1] > 1 else labels
        self.start = [np.ascontiguousarray(W.T) for W in weights], biases

    def reset(self):
        """A model with the start weights, which warm_start goes on from."""
        job = self.job
        self.model = MLPClassifier(
            job.sizes[1:-1],
            activation=ACTIVATIONS[job.hidden],
            solver="sgd",
            alpha=0,
            batch_size=job.batch or job.rows,
            learning_rate_init=job.learning_rate or 0.1,
            momentum=0,
            nesterovs_momentum=False,
            shuffle=job.batch is not None,
            random_state=0,
            n_iter_no_change=10**9,
            max_iter=1,
            warm_start=True,
        )
        # Only a fit gives the model its attributes. Its rows must hold every class.
        if job.trains:
            rows = np.unique(self.job_labels(), return_index=True)[1]
            self.model.batch_size = len(rows)
            self.model.fit(self.X[rows], self.y[rows])
            self.model.batch_size = job.batch or job.rows
        else:
            self.model.batch_size = 2
            self.model.fit(np.repeat(self.X[:1], 2, axis=0), [0, 1])
        for own, start in zip(self.model.coefs_, self.start[0], strict=True):
            own[...] = start
        for own, start in zip(self.model.intercepts_, self.start[1], strict=True):
            own[...] = start

    def job_labels(self):
        return self.y.argmax(1) if self.y.ndim > 1 else self.y

    def train(self, steps, order):
        batch, model = self.job.batch, self.model
        model.shuffle = order is not None
        model.max_iter = 1 if batch else steps
        rows = slice(steps * batch if batch else None)
        model.fit(self.X[rows], self.y[rows])
        return model.loss_curve_

    def parameters(self):
        return [W.T for W in self.model.coefs_], self.model.intercepts_

    def predict(self):
        return self.model.predict_proba(self.X)

    def predict_as_array(self):
        return self.predict()[:, 1:]
