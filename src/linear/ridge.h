/* Ridge regression with a closed-form leave-one-out choice of alpha, as scikit-learn's StandardScaler + RidgeCV. */
#ifndef PIAA_LINEAR_RIDGE_H
#define PIAA_LINEAR_RIDGE_H

#include "base/error.h"

#endif
