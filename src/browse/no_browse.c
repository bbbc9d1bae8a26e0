/* A build without libmicrohttpd: there is no page. */
#include "browse/browse.h"

#include "browse/helper.h"

bool piaa_browse_run(piaa_reader *reader, const piaa_photos *photos,
                     const piaa_browse_options *options, const piaa_hooks *hooks,
                     piaa_error *error) {
    PIAA_UNUSED(reader);
    PIAA_UNUSED(photos);
    PIAA_UNUSED(options);
    PIAA_UNUSED(hooks);
    return piaa_error_set(error, PIAA_UNSUPPORTED,
                          "this build has no page: it was made without libmicrohttpd; install that "
                          "(Debian: libmicrohttpd-dev) and build piaa again");
}

int piaa_helper_run(const char *path, const char *side) {
    PIAA_UNUSED(path);
    PIAA_UNUSED(side);
    return 1;
}
