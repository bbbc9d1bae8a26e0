/* Pulling a model with a build that has no libcurl: it cannot. */
#include "hub/hub.h"

piaa_pulled *piaa_model_pull(const char *name, const piaa_pull_request *request,
                             const piaa_hooks *hooks, piaa_error *error) {
    PIAA_UNUSED(request), PIAA_UNUSED(hooks);
    piaa_hub_name parsed;
    if (!piaa_error_pending(error) && piaa_hub_name_parse(name, &parsed, error))
        piaa_error_set(error, PIAA_UNSUPPORTED,
                       "this piaa cannot fetch models, because it was built without libcurl: "
                       "install libcurl, 7.86 or newer (Debian: libcurl4-openssl-dev), and build "
                       "it again with "
                       "-DPIAA_HUB=ON, or fetch the files of %s/%s by other means and name their "
                       "folder",
                       parsed.owner, parsed.name);
    return NULL;
}
