/* The devices that ggml was built with, by the names that people type. */
#ifndef PIAA_VLM_DEVICE_H
#define PIAA_VLM_DEVICE_H

#include "base/error.h"

#include <ggml-backend.h>
#include <ggml.h>

/* NULL and "auto": the first GPU if there is one, else the CPU; "cpu", "cuda0", …; or another
 * machine's, see remote.h.  PIAA_USAGE names those that there are. */
ggml_backend_dev_t piaa_device_find(const char *name, piaa_error *error) PIAA_MUST_USE;
/* The same without connecting to other machines. */
bool piaa_device_check(const char *name, piaa_error *error) PIAA_MUST_USE;

/* ggml prints, and a library does not. */
void piaa_device_quiet(void);

bool piaa_device_is_cpu(ggml_backend_dev_t device);
void piaa_device_describe(ggml_backend_dev_t device, piaa_device *out);

/* Whether y = W x with W [columns, rows] of this type can be computed there. */
bool piaa_device_multiplies(ggml_backend_dev_t device, enum ggml_type type, int64_t columns,
                            int64_t rows);

/* The i-th back end that was built in and finds no device on this machine ("CUDA" without a
   driver); NULL after the last. */
const char *piaa_device_absent(size_t i);

/* ggml ends the process where a device fails in a way that it cannot report, first of all a server
 * that went away.  `tell` gets what it says, a line of its own making, and need not return. */
void piaa_device_on_abort(void (*tell)(const char *message));

#endif
