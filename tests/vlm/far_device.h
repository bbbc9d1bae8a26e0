/*
 * A device of ggml for tests: it computes what the CPU does, but its memory is elsewhere.  The
 * addresses that ggml and piaa see are pages that nobody may touch, so that whatever reads or
 * writes a tensor other than through the back end's functions ends the test with a segmentation
 * fault; and it refuses what it is told to, so that the scheduler has to give those nodes to the
 * CPU.
 */
#ifndef PIAA_TESTS_VLM_FAR_DEVICE_H
#define PIAA_TESTS_VLM_FAR_DEVICE_H

#include <ggml-backend.h>
#include <ggml.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct far_device {
    const char *name;
    enum ggml_op refused[8]; /* ended by GGML_OP_NONE */
    bool float32_only;       /* no matrix of another type is multiplied */
    /* What happened. */
    long computed; /* nodes */
    long refusals; /* of nodes that the CPU could do */
} far_device;

/* Registers it with ggml, for the rest of the process. */
void far_device_add(far_device *device);

#endif
