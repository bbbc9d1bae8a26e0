/* The commands, one file each (model.c holds two, pull.c three, store.c five, pack.c two). */
#ifndef PIAA_CLI_COMMANDS_H
#define PIAA_CLI_COMMANDS_H

#include "cli/options.h"

extern const piaa_command piaa_command_rank, piaa_command_embed, piaa_command_fit,
    piaa_command_predict, piaa_command_store_info, piaa_command_store_list,
    piaa_command_store_prune, piaa_command_store_verify, piaa_command_store_merge,
    piaa_command_store_pack, piaa_command_store_split, piaa_command_model_info,
    piaa_command_model_tokens, piaa_command_model_pull, piaa_command_model_list,
    piaa_command_model_rm, piaa_command_model_convert, piaa_command_bench, piaa_command_probe,
    piaa_command_eval, piaa_command_reduce, piaa_command_explain, piaa_command_report,
    piaa_command_devices, piaa_command_lend, piaa_command_ask, piaa_command_lora, piaa_command_tune,
    piaa_command_browse, piaa_command_ici_train, piaa_command_stars, piaa_command_next,
    piaa_command_prior;

#endif
