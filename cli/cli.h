/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cli.h - how a command is declared. One table entry gives its parsing,
 * its --help, its man page and its shell completion.
 *
 * A command file (cli/cmd_<noun>.c, or cmd_<noun>_<verb>.c) defines sn_command
 * objects, adds them to cli/commands.def, and holds no algorithm: it calls the
 * library and prints. stdout carries data only, stderr the log. */
#ifndef SN_CLI_CLI_H
#define SN_CLI_CLI_H
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "base/opt.h"
#include "base/status.h"
#ifdef __cplusplus
extern "C" {
#endif

#define SN_CLI_MAX_TABLES 6

/* Exit statuses. */
enum { SN_EXIT_OK = 0, SN_EXIT_FAILED = 1, SN_EXIT_USAGE = 2, SN_EXIT_BUG = 3 };

/* An option table and the size of the struct that its offsets are for. */
typedef struct sn_cli_table {
  const sn_opt *table;
  size_t opts_size;
} sn_cli_table;

struct sn_command;

/* What run() gets: everything parsed. */
typedef struct sn_cli {
  const struct sn_command *cmd;
  sn_log *log;                   /* to stderr; --quiet, --verbose */
  void *opts[SN_CLI_MAX_TABLES]; /* one filled struct per table */
  char **args;                   /* positional arguments */
  size_t n_args;
  const char **extra_names; /* options of no table, where allowed */
  const char **extra_values;
  size_t n_extra;
  const sn_opt **given; /* private: see sn_cli_is_given */
  size_t n_given;
  sn_err err;      /* run() may fill it and return sn_cli_fail(cli) */
  int write_errno; /* private: first failure of sn_cli_print, or 0 */
} sn_cli;

typedef struct sn_command {
  const char *name;        /* "lm prune", "transcribe" */
  const char *synopsis;    /* "[--option=value ...] IN OUT" */
  const char *summary;     /* one line, no full stop */
  const char *description; /* paragraphs; may be NULL */
  const char *example;     /* a command line that runs as it is after
                              egs/en-us/run.sh; may have several lines */
  sn_cli_table tables[SN_CLI_MAX_TABLES]; /* ends at table == NULL */
  const char *shorts;        /* "o=output j=jobs": -o X, -oX mean --output=X */
  size_t min_args, max_args; /* positional; max 0 with min 0: none;
                                SIZE_MAX: any number */
  bool allow_extra;          /* unknown --name=value go to `extra` */
  int (*run)(sn_cli *cli);
} sn_command;

/* Prints cli->err ("senone lm prune: message") and gives the exit status that
 * its code asks for. */
int sn_cli_fail(sn_cli *cli);
/* Wrong usage: prints the message and where --help is; status 2. */
int sn_cli_usage(sn_cli *cli, const char *fmt, ...) SN_PRINTF(2, 3);
/* Whether the command line has option `name` of one of the tables, with
 * whatever value; a config file does not count, as it may name all options. */
bool sn_cli_is_given(const sn_cli *cli, const char *name);
/* Data for stdout; remembers a failed write (disk full, closed pipe) so that
 * sn_cli_finish can report it. */
void sn_cli_print(sn_cli *cli, const char *fmt, ...) SN_PRINTF(2, 3);
/* Flushes stdout; `status` unless writing failed. Every run() ends in it. */
int sn_cli_finish(sn_cli *cli, int status);
#ifdef __cplusplus
}
#endif
#endif
