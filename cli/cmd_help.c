/* SPDX-License-Identifier: Apache-2.0 */
/* senone help: texts, man pages and shell completion. */
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/cli_internal.h"

typedef struct help_opts {
  int32_t as;
  const char *man_dir;
} help_opts;

enum { AS_TEXT, AS_MAN, AS_BASH };

static const sn_opt help_table[] = {
    {"as", SN_OPT_ENUM, offsetof(help_opts, as), AS_TEXT, 0, 2, "text|man|bash",
     "", "text; a man page; the completion script for bash and zsh"},
    {"man-dir", SN_OPT_STRING, offsetof(help_opts, man_dir), 0, 0, 0, NULL,
     "DIR", "write the man pages of all commands into DIR"},
    SN_OPT_END};

static sn_status write_text(const char *dir, const char *name,
                            const sn_str *text, sn_err *err) {
  char *const path = sn_path_join(dir, name);
  if (path == NULL) return sn_fail_nomem(err, "man page");
  sn_writer *w = NULL;
  sn_status s = sn_writer_open(path, &w, err);
  if (s == SN_OK) s = sn_write_bytes(w, text->data, text->n, err);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  sn_free(path);
  return s;
}

static sn_status write_man_pages(const char *dir, sn_err *err) {
  SN_TRY(sn_dir_make(dir, err));
  sn_str text = {0};
  sn_status s = sni_help_man_main(&text, err);
  if (s == SN_OK) s = write_text(dir, "senone.1", &text, err);
  for (size_t i = 0; s == SN_OK && sni_commands[i] != NULL; i++) {
    sn_str name = {0};
    sn_str_reset(&text);
    s = sn_str_addf(&name, err, "senone-%s.1", sni_commands[i]->name);
    for (size_t k = 0; s == SN_OK && k < name.n; k++)
      if (name.data[k] == ' ') name.data[k] = '-';
    if (s == SN_OK) s = sni_help_man(sni_commands[i], &text, err);
    if (s == SN_OK) s = write_text(dir, sn_str_get(&name), &text, err);
    sn_str_clear(&name);
  }
  sn_str_clear(&text);
  return s;
}

static int run_help(sn_cli *cli) {
  const help_opts *const o = cli->opts[0];
  sn_str text = {0};
  sn_status s = SN_OK;
  int status = SN_EXIT_OK;
  size_t n_words = 0;
  const sn_command *const c =
      sni_command_find(cli->args, cli->n_args, &n_words);
  if (o->man_dir != NULL)
    s = write_man_pages(o->man_dir, &cli->err);
  else if (o->as == AS_BASH)
    s = sni_help_bash(&text, &cli->err);
  else if (cli->n_args == 0)
    s = o->as == AS_MAN ? sni_help_man_main(&text, &cli->err)
                        : sni_help_list(NULL, &text, &cli->err);
  else if (c == NULL && cli->n_args == 1 && o->as != AS_MAN &&
           sni_is_noun(cli->args[0]))
    s = sni_help_list(cli->args[0], &text, &cli->err);
  else if (c == NULL || n_words < cli->n_args)
    status = sn_cli_usage(cli, "there is no command '%s%s%s'", cli->args[0],
                          cli->n_args > 1 ? " " : "",
                          cli->n_args > 1 ? cli->args[1] : "");
  else
    s = o->as == AS_MAN ? sni_help_man(c, &text, &cli->err)
                        : sni_help_command(c, &text, &cli->err);
  if (s != SN_OK)
    status = sn_cli_fail(cli);
  else if (status == SN_EXIT_OK) {
    if (text.n > 0) sn_cli_print(cli, "%s", sn_str_get(&text));
    status = sn_cli_finish(cli, status);
  }
  sn_str_clear(&text);
  return status;
}

const sn_command sn_cmd_help = {
    .name = "help",
    .synopsis = "[--as=text|man|bash] [COMMAND]",
    .summary = "explain the commands",
    .description =
        "Without a command, lists them all; with the first word of several, "
        "those. The man pages and the completion "
        "script of bash and zsh come from the same tables as the texts.",
    .example = "senone help transcribe",
    .tables = {{help_table, sizeof(help_opts)}},
    .max_args = 2,
    .run = run_help,
};
