/* piaa embed: photos into a feature store. */
#include "cli/commands.h"
#include "cli/request.h"

#include <stdio.h>

/* "60 photos: 52 read, 1 of them damaged, 7 unchanged, 1 unreadable; 4.2 s." */
static void sum_up(piaa_call *call, const piaa_embed_summary *s) {
    const struct {
        int64_t count;
        const char *what;
    } parts[] = {{s->computed, "read"},
                 {s->damaged, "of them damaged"},
                 {s->previews, "of them as the raw file's preview"},
                 {s->developed, "of them developed from the raw file"},
                 {s->unchanged, "unchanged"},
                 {s->copies, "with the content of another"},
                 {s->failed, "unreadable"}};
    char line[512];
    size_t used = (size_t)snprintf(line, sizeof line, "%lld photo%s", (long long)s->photos,
                                   s->photos == 1 ? "" : "s"),
           shown = 0;
    for (size_t i = 0; i < PIAA_COUNT(parts); i++)
        if (parts[i].count)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s %lld %s",
                                     shown++ ? "," : ":", (long long)parts[i].count, parts[i].what);
    piaa_talk_note(&call->talk, "%s; %.1f s.", line, s->seconds);
}

static piaa_reader *open_reader(piaa_call *call, piaa_model *model, const piaa_request *request,
                                piaa_error *error) {
    piaa_reader *reader = model ? piaa_reader_new(model, request, error) : NULL;
    if (!reader) return NULL;
    piaa_call_tell_demonstration(call, piaa_model_get_info(model)->demonstration);
    if (piaa_call_open_store(call, reader, piaa_call_value(call, "out"), error)) {
        if (!piaa_store_packing(piaa_reader_store(reader))) return reader;
        piaa_error_set(error, PIAA_USAGE,
                       "%s is a packed store, which can only be read: embed into the store that it "
                       "was packed from, and pack that again",
                       piaa_call_value(call, "out"));
    }
    piaa_reader_free(reader);
    return NULL;
}

/* "2/8": the second of eight. */
static bool keep_shard(const piaa_call *call, piaa_photos *photos, piaa_error *error) {
    const char *text = piaa_call_value(call, "shard");
    if (!text) return true;
    long long index, count;
    int used = 0;
    if (sscanf(text, "%9lld/%9lld%n", &index, &count, &used) == 2 && !text[used] && index >= 1 &&
        index <= count)
        return piaa_photos_keep_shard(photos, index, count, error);
    return piaa_error_set(error, PIAA_USAGE,
                          "--shard takes I/N with I from 1 to N, such as 2/8, not %s", text);
}

static bool run(piaa_call *call, piaa_error *error) {
    piaa_request request;
    if (!piaa_call_need(call, "out", error) || !piaa_call_request(call, NULL, &request, error))
        return false;
    piaa_photos *photos = piaa_call_photos(call, error);
    piaa_model *model = photos && keep_shard(call, photos, error)
                            ? piaa_call_model(call, piaa_call_value(call, "model"), error)
                            : NULL;
    piaa_reader *reader = open_reader(call, model, &request, error);
    piaa_embed_summary summary;
    bool ok = reader && piaa_call_read(call, reader, photos, &summary, error);
    if (ok) sum_up(call, &summary);
    if (ok && summary.photos && summary.failed == summary.photos)
        ok =
            piaa_error_set(error, PIAA_FORMAT,
                           "none of the photos could be read: piaa store list --failed %s says why",
                           piaa_call_value(call, "out"));
    piaa_reader_free(reader);
    piaa_model_close(model);
    piaa_photos_free(photos);
    return ok;
}

static const piaa_option options[] = {
    {"out", "STORE", "the folder of the feature store; made if it is not there, continued if it is",
     NULL, NULL},
    {"shard", "I/N",
     "read the I-th of N parts of the photos alone, which piaa store merge puts together; a "
     "photo's "
     "part follows from its path below the folder named, whatever photos are added",
     NULL, NULL},
    PIAA_OPTION_AGAIN,
    {0},
};

const piaa_command piaa_command_embed = {
    .name = "embed",
    .summary = "Read photos with the model and keep what it sees in a feature store",
    .example = "piaa embed holiday --out holiday.store --model Qwen3-VL-4B-Instruct\n"
               "piaa embed holiday --out holiday.store --pool lt,lv --layer all\n",
    .operands = "PHOTOS…",
    .least = 1,
    .most = -1,
    .groups = {{"Where to", options}, {"How photos are read", piaa_request_options}},
    .notes =
        "A store is a folder: catalog.sqlite, and one matrix POOL.LAYER.npy for each pool and "
        "layer (float32, one row per photo), which "
        "NumPy "
        "opens with mmap_mode=\"r\" at any moment. A run that was stopped goes on where it "
        "ended when it is started again; photos that did "
        "not "
        "change are not read again; layers and pools that are new are added. A store takes "
        "photos only with the model, prompt and settings "
        "that it was made with.\n\n"
        "A photo that cannot be read is a warning, and a line in the store that says why; so is "
        "one of which a part is lost, and which is read all the same.",
    .run = run,
};
