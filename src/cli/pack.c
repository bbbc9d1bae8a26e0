/* piaa store pack and split. */
#include "cli/commands.h"

static bool run_pack(piaa_call *call, piaa_error *error) {
    if (!piaa_call_need(call, "out", error)) return false;
    const piaa_pack_options options = {
        .packing = (piaa_packing)(PIAA_PACKED_NONE + 1 + piaa_call_choice(call, "dtype")),
        .features = piaa_call_value(call, "features")};
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_store_pack(call->operands[0], piaa_call_value(call, "out"), &options,
                                    &call->talk.hooks, error);
    piaa_talk_clear(&call->talk);
    return ok;
}

static bool run_split(piaa_call *call, piaa_error *error) {
    int64_t parts = 0;
    if (!piaa_call_need(call, "out", error) || !piaa_call_need(call, "parts", error) ||
        !piaa_call_integer(call, "parts", 1, 1000000, &parts, error))
        return false;
    piaa_talk_catch_stop(&call->talk);
    const bool ok = piaa_store_split(call->operands[0], piaa_call_value(call, "out"), parts,
                                     piaa_call_value(call, "below"), &call->talk.hooks, error);
    piaa_talk_clear(&call->talk);
    return ok;
}

static const piaa_option pack_options[] = {
    {"out", "STORE", "the folder of the packed store, which is not there yet", NULL, NULL},
    {"dtype", "TYPE", "how vectors are kept", "f32", "f32 f16 bf16 int8"},
    {"features", "LIST", "pools and layers, as in lt.15+v.9", "all of the store", NULL},
    {0},
};

const piaa_command piaa_command_store_pack = {
    .name = "store pack",
    .summary = "Copy a feature store into one for reading that is smaller and opens at once",
    .example = "piaa store pack archive.store --out archive.packed --dtype bf16\n"
               "piaa rank archive --ratings ratings.csv --store archive.packed\n",
    .operands = "STORE",
    .least = 1,
    .most = 1,
    .groups = {{"Options", pack_options}},
    .notes =
        "A packed store is read by every command that reads stores, and written to by none. "
        "f16 and bf16 halve the matrices, int8 quarters them with a centre and a step for each "
        "column; what that changes is measured in docs/scale.md. Every vector is held against "
        "its sum on the way. The folder appears when it is whole: a packing that was stopped "
        "is begun again by the same command.",
    .run = run_pack,
};

static const piaa_option split_options[] = {
    {"out", "DIR", "the folder for the parts, 1.store, 2.store, …", NULL, NULL},
    {"parts", "N", "how many", NULL, NULL},
    {"below", "DIR", "the folder of photos that piaa embed --shard was, or would be, given",
     "photos are dealt out by their whole paths", NULL},
    {0},
};

const piaa_command piaa_command_store_split = {
    .name = "store split",
    .summary = "Deal the photos of a feature store out to several stores",
    .example =
        "piaa store split archive.store --parts 8 --below archive --out archive.store.parts\n",
    .operands = "STORE",
    .least = 1,
    .most = 1,
    .groups = {{"Options", split_options}},
    .notes = "Photo by photo the parts are those of piaa embed --shard. piaa store merge puts them "
             "together again. A split that was stopped goes on when the same command is run again.",
    .run = run_split,
};
