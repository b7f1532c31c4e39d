"""Data in order, updates, epochs: a part of _core.pyx."""

def arrange(Architecture architecture not None, const real[::1] parameters not None,
            const real[:, ::1] X, unsigned char[::1] out not None, size_t block_rows=0,
            Sparse sparse=None):
    """out := X in the order in which a full batch meets it."""
    cdef bp_execution how = execution(block_rows, 1)
    cdef bp_status status
    cdef size_t rows = expect_input[real](architecture, parameters, X, sparse)
    cdef bp_input_f32 single
    cdef bp_input_f64 double_
    if real is float:
        single = input_f32(X, sparse, None, None)
    else:
        double_ = input_f64(X, sparse, None, None)
    with nogil:
        if real is float:
            status = bp_arrange_f32(&architecture.net, &how, &single, rows, &out[0], out.shape[0])
        else:
            status = bp_arrange_f64(&architecture.net, &how, &double_, rows, &out[0],
                                    out.shape[0])
    raise_if(status)


cdef class Rule:
    """How gradients become updates: ``optimizer`` is a name, the rest are the fields of bp_rule."""
    cdef bp_rule rule

    def __cinit__(self, optimizer, *, double momentum=0, double decay=0, double epsilon=0,
                  bint epsilon_inside=False, double weight_decay=0, double shrink=0,
                  double grow=0, double least_step=0, double most_step=0, double l2=0,
                  double l1=0, bint penalty_of_sum=False, double clip_norm=0, double max_norm=0):
        self.rule = bp_rule(lookup(OPTIMIZERS, "optimizer", optimizer), momentum, decay, epsilon,
                            epsilon_inside, weight_decay, shrink, grow, least_step, most_step, l2,
                            l1, penalty_of_sum, clip_norm, max_norm)

    @property
    def moments(self):
        """Arrays of moments that the optimizer keeps, each as long as the parameters."""
        return bp_moment_count(self.rule.optimizer)

    @property
    def keeps_steps(self):
        """Whether the last moments are steps, which begin at the learning rate."""
        return self.rule.optimizer == BP_RPROP


cdef class Training:
    """Some epochs of gradient descent, as far as they have come; fields are those of bp_training.

    ``rule`` is a Rule, or None: plain gradient descent.
    """
    cdef bp_training state
    cdef Rule rule
    cdef double[::1] _losses, _penalties

    def __cinit__(self, size_t batch_rows, double learning_rate, size_t epochs=1, Rule rule=None,
                  *, uint64_t step=0, uint64_t warmup_steps=0, bint rows_count=False,
                  uint64_t seed=0, uint64_t first_epoch=0):
        from array import array
        self.state.batch_rows = batch_rows
        self.state.learning_rate = learning_rate
        self.state.epochs = epochs
        self.rule = rule
        if rule is not None:
            self.state.rule = &rule.rule
        self.state.step, self.state.warmup_steps = step, warmup_steps
        self.state.rows_count = rows_count
        self.state.seed, self.state.first_epoch = seed, first_epoch
        self._losses = array("d", [0.0]) * max(epochs, 1)
        self._penalties = array("d", [0.0]) * max(epochs, 1)
        self.state.losses, self.state.penalties = &self._losses[0], &self._penalties[0]

    @property
    def learning_rate(self):
        """The rate, without a warm-up."""
        return self.state.learning_rate

    @property
    def step(self):
        """Updates that were done."""
        return self.state.step

    @property
    def row(self):
        """Rows of the present epoch that were used so far; all of them at the end."""
        return self.state.row

    @property
    def epoch(self):
        """Epochs that are finished."""
        return self.state.epoch

    @property
    def batches(self):
        """Batches of the present epoch that are finished."""
        return self.state.batches

    @property
    def loss(self):
        """Mean over the finished batches of their mean losses, each taken before its update."""
        return self.state.epoch_loss / self.state.counted if self.state.batches else 0.0

    @property
    def losses(self):
        """``loss`` of each finished epoch."""
        return [self._losses[i] for i in range(self.state.epoch)]

    @property
    def penalties(self):
        """Mean penalty of the batches of each finished epoch."""
        return [self._penalties[i] for i in range(self.state.epoch)]

    def run(self, Architecture architecture not None, real[::1] parameters not None,
            const real[:, ::1] X, const real[:, ::1] Y not None, const size_t[::1] order,
            size_t row_budget, unsigned char[::1] workspace not None, size_t block_rows=0,
            size_t threads=1, Sparse sparse=None, const unsigned char[::1] arrangement=None,
            const real[::1] weights=None, real[:, ::1] moments=None):
        """Go on until ``row_budget`` rows are used or the epochs end. order: row indices, or None.

        moments: (rule.moments, P), or None where there are none. Raises FloatingPointError before a
        batch whose loss is not finite changes anything.
        """
        cdef bp_execution how = execution(block_rows, threads)
        cdef bp_status status
        cdef const size_t *order_pointer = NULL
        cdef real *moments_pointer = NULL
        cdef size_t rows = expect_input[real](architecture, parameters, X, sparse)
        cdef bp_input_f32 single
        cdef bp_input_f64 double_
        expect_targets[real](architecture, Y, rows)
        expect_weights[real](weights, rows)
        if order is not None:
            expect(<size_t>order.shape[0] == rows, "order has the wrong length")
            expect_aligned(&order[0], rows, sizeof(size_t))
            order_pointer = &order[0]
        if self.rule is not None and self.rule.moments:
            expect(moments is not None and <size_t>moments.shape[0] == self.rule.moments
                   and <size_t>moments.shape[1] == architecture.count,
                   "moments have the wrong shape")
            expect_aligned(&moments[0, 0], 1, sizeof(real))
            moments_pointer = &moments[0, 0]
        if real is float:
            single = input_f32(X, sparse, weights, arrangement)
        else:
            double_ = input_f64(X, sparse, weights, arrangement)
        with nogil:
            if real is float:
                status = bp_train_f32(&architecture.net, &how, &parameters[0], moments_pointer,
                                      &single, &Y[0, 0], rows, order_pointer, &self.state,
                                      row_budget, &workspace[0], workspace.shape[0])
            else:
                status = bp_train_f64(&architecture.net, &how, &parameters[0], moments_pointer,
                                      &double_, &Y[0, 0], rows, order_pointer, &self.state,
                                      row_budget, &workspace[0], workspace.shape[0])
        raise_if(status)


def shuffle(size_t[::1] order not None, uint64_t seed, uint64_t epoch):
    """order := the permutation of 0 ... n - 1 that belongs to (seed, epoch)."""
    raise_if(bp_shuffle(&order[0], order.shape[0], seed, epoch))
