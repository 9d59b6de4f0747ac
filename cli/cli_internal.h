/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cli_internal.h - shared by main.c, cli.c and help.c. */
#ifndef SN_CLI_CLI_INTERNAL_H
#define SN_CLI_CLI_INTERNAL_H
#include "cli/cli.h"

/* Ends at NULL; in the order of commands.def. */
extern const sn_command *const sni_commands[];

typedef struct sni_cli_globals {
  bool help, quiet, print_config;
  int32_t verbose;
  const char *config;
} sni_cli_globals;
extern const sn_opt sni_cli_global_table[];

/* The command that the first one or two words name; *n_words says how many
 * they were. NULL when there is none. */
const sn_command *sni_command_find(char *const *words, size_t n,
                                   size_t *n_words);

/* Number of option tables of a command. */
size_t sni_command_n_tables(const sn_command *c);
/* The letter of an option, or 0. */
char sni_command_short(const sn_command *c, const char *name);

sn_status sni_help_command(const sn_command *c, sn_str *out, sn_err *err);
sn_status sni_help_list(const char *noun, sn_str *out, sn_err *err);
/* Whether commands of two words begin with it. */
bool sni_is_noun(const char *word);
sn_status sni_help_man(const sn_command *c, sn_str *out, sn_err *err);
sn_status sni_help_man_main(sn_str *out, sn_err *err);
sn_status sni_help_bash(sn_str *out, sn_err *err);
#endif
