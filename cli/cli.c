/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing of a command line against the tables of a command.
 *
 *   1. the words before the first option name the command;
 *   2. --name=value, --name value, --name (booleans), -x value, -xvalue;
 *      options that go to `extra` take their value behind '=' only;
 *      "--" ends the options, "-" alone is an argument;
 *   3. --config=FILE is read first, so that the command line overrides it;
 *   4. the command's run() gets filled structs and the arguments. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ini.h"
#include "base/mem.h"
#include "cli/cli_internal.h"
#include "cli/run.h"

const sn_opt sni_cli_global_table[] = {
    {"help", SN_OPT_BOOL, offsetof(sni_cli_globals, help), 0, 0, 1, NULL, "",
     "print this help"},
    {"quiet", SN_OPT_BOOL, offsetof(sni_cli_globals, quiet), 0, 0, 1, NULL, "",
     "warnings and progress are not printed, errors are"},
    {"verbose", SN_OPT_INT, offsetof(sni_cli_globals, verbose), 0, 0, 2, NULL,
     "", "1: say what is being done, 2: more"},
    {"config", SN_OPT_STRING, offsetof(sni_cli_globals, config), 0, 0, 0, NULL,
     "FILE", "take options from the section [options] of FILE first"},
    {"print-config", SN_OPT_BOOL, offsetof(sni_cli_globals, print_config), 0, 0,
     1, NULL, "", "print the options in effect and stop"},
    SN_OPT_END};

size_t sni_command_n_tables(const sn_command *c) {
  size_t n = 0;
  while (n < SN_CLI_MAX_TABLES && c->tables[n].table != NULL) n++;
  return n;
}

char sni_command_short(const sn_command *c, const char *name) {
  if (c->shorts == NULL) return 0;
  sn_span rest = sn_span_of(c->shorts), f;
  while (sn_next_field(&rest, &f)) {
    const sn_span full = {f.p + 2, f.n - 2};
    if (f.n > 2 && sn_span_eq(full, name)) return f.p[0];
  }
  return 0;
}

static sn_span long_name(const sn_command *c, char letter) {
  sn_span rest = sn_span_of(c->shorts != NULL ? c->shorts : ""), f;
  while (sn_next_field(&rest, &f))
    if (f.n > 2 && f.p[0] == letter) return (sn_span){f.p + 2, f.n - 2};
  return (sn_span){NULL, 0};
}

const sn_command *sni_command_find(char *const *words, size_t n,
                                   size_t *n_words) {
  char both[64] = "";
  if (n >= 2) (void)snprintf(both, sizeof both, "%s %s", words[0], words[1]);
  for (size_t i = 0; sni_commands[i] != NULL; i++)
    if (n >= 2 && strcmp(sni_commands[i]->name, both) == 0) {
      *n_words = 2;
      return sni_commands[i];
    }
  for (size_t i = 0; sni_commands[i] != NULL; i++)
    if (n >= 1 && strcmp(sni_commands[i]->name, words[0]) == 0) {
      *n_words = 1;
      return sni_commands[i];
    }
  return NULL;
}

/* ---- One parse ---- */

typedef struct parse {
  const sn_command *cmd;
  sn_cli *cli;
  sni_cli_globals globals;
  size_t extra_cap;
} parse;

/* The table entry of an option and the struct it belongs to. */
static const sn_opt *find(parse *p, const char *name, const sn_opt **table,
                          void **opts) {
  const size_t n = sni_command_n_tables(p->cmd);
  for (size_t i = 0; i < n; i++) {
    const sn_opt *const o = sn_opt_find(p->cmd->tables[i].table, name);
    if (o != NULL) {
      *table = p->cmd->tables[i].table;
      *opts = p->cli->opts[i];
      return o;
    }
  }
  *table = sni_cli_global_table;
  *opts = &p->globals;
  return sn_opt_find(sni_cli_global_table, name);
}

static void nearest(const sn_opt *table, const char *name, size_t *best,
                    const char **near) {
  for (const sn_opt *o = table; o->name != NULL; o++) {
    const size_t d = sn_edit_distance(o->name, name, 4);
    if (d < *best) {
      *best = d;
      *near = o->name;
    }
  }
}

static sn_status unknown(parse *p, const char *name, sn_err *err) {
  const char *near = NULL;
  size_t best = 4;
  for (size_t i = 0; i < sni_command_n_tables(p->cmd); i++)
    nearest(p->cmd->tables[i].table, name, &best, &near);
  nearest(sni_cli_global_table, name, &best, &near);
  return near != NULL
             ? sn_fail(err, SN_EARG, "unknown option --%s; is --%s meant?",
                       name, near)
             : sn_fail(err, SN_EARG, "unknown option --%s", name);
}

static sn_status set(parse *p, const char *name, const char *value,
                     sn_err *err) {
  const sn_opt *table;
  void *opts;
  if (find(p, name, &table, &opts) != NULL)
    return sn_opt_set(table, opts, name, value, err);
  if (!p->cmd->allow_extra) return unknown(p, name, err);
  sn_cli *const c = p->cli;
  if (c->n_extra == p->extra_cap)
    return sn_fail(err, SN_ELIMIT, "more than %zu options", p->extra_cap);
  c->extra_names[c->n_extra] = name;
  c->extra_values[c->n_extra++] = value;
  return SN_OK;
}

/* Takes argv[*i], an option, and its value, which may be argv[*i + 1]. */
static sn_status take_option(parse *p, size_t n, char **argv, size_t *i,
                             sn_err *err) {
  char *const word = argv[*i];
  const bool is_long = word[1] == '-';
  char *name = word + 2;
  const char *value = NULL;
  if (is_long) {
    char *const equals = strchr(name, '=');
    if (equals != NULL) {
      *equals = '\0';
      value = equals + 1;
    }
  } else {
    const sn_span full = long_name(p->cmd, word[1]);
    if (full.p == NULL)
      return sn_fail(err, SN_EARG, "unknown option -%c", word[1]);
    name = sn_strndup(full.p, full.n);
    if (name == NULL) return sn_fail_nomem(err, "command line");
    if (word[2] != '\0') value = word + 2 + (word[2] == '=');
  }
  const sn_opt *table;
  void *opts;
  const sn_opt *const o = find(p, name, &table, &opts);
  sn_status s = SN_OK;
  if (value == NULL && o != NULL && o->type == SN_OPT_BOOL) {
    value = "yes";
  } else if (value == NULL && o != NULL && strcmp(o->name, "verbose") == 0) {
    value = "1";
  } else if (value == NULL && o == NULL && p->cmd->allow_extra) {
    value = "true"; /* its type is not known here: --name alone is a yes */
  } else if (value == NULL && o != NULL) {
    if (*i + 1 >= n)
      s = sn_fail(err, SN_EARG, "option --%s wants a value", name);
    else
      value = argv[++*i];
  }
  if (s == SN_OK) s = set(p, name, value != NULL ? value : "", err);
  if (s == SN_OK && o != NULL) p->cli->given[p->cli->n_given++] = o;
  if (!is_long) sn_free(name);
  return s;
}

static sn_status read_config(parse *p, const char *path, sn_ini **ini,
                             sn_err *err) {
  SN_TRY(sn_ini_load(path, ini, err));
  const char *value, *key;
  for (size_t i = 0; (key = sn_ini_key_at(*ini, "options", i, &value)) != NULL;
       i++) {
    const sn_status s = set(p, key, value, err);
    if (s != SN_OK) {
      sn_err_context(err, "%s", path);
      return s;
    }
  }
  return SN_OK;
}

static sn_status parse_words(parse *p, size_t n, char **argv, sn_ini **ini,
                             sn_err *err) {
  for (size_t i = 0; i < n; i++) { /* 3. the config file first */
    if (strcmp(argv[i], "--") == 0) break;
    if (strncmp(argv[i], "--config=", 9) == 0)
      SN_TRY(read_config(p, argv[i] + 9, ini, err));
    else if (strcmp(argv[i], "--config") == 0 && i + 1 < n)
      SN_TRY(read_config(p, argv[i + 1], ini, err));
  }
  bool options = true;
  for (size_t i = 0; i < n; i++) {
    if (options && strcmp(argv[i], "--") == 0) {
      options = false;
    } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
      SN_TRY(take_option(p, n, argv, &i, err));
    } else {
      p->cli->args[p->cli->n_args++] = argv[i];
    }
  }
  return SN_OK;
}

static sn_status print_config(parse *p, sn_err *err) {
  sn_str text = {0};
  sn_status s = sn_str_adds(&text, "[options]\n", err);
  for (size_t i = 0; s == SN_OK && i < sni_command_n_tables(p->cmd); i++)
    for (const sn_opt *o = p->cmd->tables[i].table;
         s == SN_OK && o->name != NULL; o++) {
      sn_str value = {0};
      s = sn_opt_get(o, p->cli->opts[i], &value, err);
      if (s == SN_OK)
        s = sn_str_addf(&text, err, "%s = %s\n", o->name, sn_str_get(&value));
      sn_str_clear(&value);
    }
  if (s == SN_OK) sn_cli_print(p->cli, "%s", sn_str_get(&text));
  sn_str_clear(&text);
  return s;
}

static const char *count_text(const sn_command *c) {
  if (c->min_args == 0 && c->max_args == 0) return "no arguments";
  return c->min_args == c->max_args ? "another number of arguments"
                                    : "more arguments";
}

/* Runs a command whose options are parsed. */
static int run_parsed(parse *p) {
  sn_cli *const cli = p->cli;
  if (p->globals.print_config) {
    if (print_config(p, &cli->err) != SN_OK) return sn_cli_fail(cli);
    return sn_cli_finish(cli, SN_EXIT_OK);
  }
  if (cli->n_args < p->cmd->min_args)
    return sn_cli_usage(cli, "arguments are missing: senone %s %s",
                        p->cmd->name, p->cmd->synopsis);
  if (cli->n_args > p->cmd->max_args)
    return sn_cli_usage(cli, "%zu arguments given, %s wanted: senone %s %s",
                        cli->n_args, count_text(p->cmd), p->cmd->name,
                        p->cmd->synopsis);
  const sn_log_level level = p->globals.quiet          ? SN_LOG_ERROR
                             : p->globals.verbose >= 2 ? SN_LOG_DEBUG
                             : p->globals.verbose >= 1 ? SN_LOG_INFO
                                                       : SN_LOG_WARN;
  if (sn_log_create_stderr(level, &cli->log, &cli->err) != SN_OK)
    return sn_cli_fail(cli);
  sni_cli_on_interrupt(cli->log);
  const int status = p->cmd->run(cli);
  sni_cli_on_interrupt(NULL);
  sn_log_destroy(cli->log);
  cli->log = NULL;
  return status;
}

int sni_cli_run(const sn_command *cmd, size_t n, char **argv) {
  sn_cli cli = {0};
  cli.cmd = cmd;
  /* A config file may bring extra options too. */
  parse p = {.cmd = cmd, .cli = &cli, .extra_cap = n + 256};
  sn_ini *ini = NULL;
  int status = SN_EXIT_FAILED;
  sn_opt_defaults(sni_cli_global_table, &p.globals);
  cli.args = sn_calloc(n + 1, sizeof *cli.args);
  cli.extra_names = sn_calloc(p.extra_cap, sizeof *cli.extra_names);
  cli.extra_values = sn_calloc(p.extra_cap, sizeof *cli.extra_values);
  cli.given = sn_calloc(n + 1, sizeof *cli.given);
  bool ok = cli.args && cli.extra_names && cli.extra_values && cli.given;
  for (size_t i = 0; ok && i < sni_command_n_tables(cmd); i++) {
    cli.opts[i] = sn_calloc(1, cmd->tables[i].opts_size);
    ok = cli.opts[i] != NULL;
    if (ok) sn_opt_defaults(cmd->tables[i].table, cli.opts[i]);
  }
  if (!ok) {
    (void)sn_fail_nomem(&cli.err, "command line");
    status = sn_cli_fail(&cli);
    goto done;
  }
  if (parse_words(&p, n, argv, &ini, &cli.err) != SN_OK && !p.globals.help) {
    if (cli.err.code != SN_EARG) {
      status = sn_cli_fail(&cli);
    } else {
      const sn_err why = cli.err;
      status = sn_cli_usage(&cli, "%s", why.msg);
    }
    goto done;
  }
  if (p.globals.help) {
    sn_str text = {0};
    sn_err_clear(&cli.err);
    if (sni_help_command(cmd, &text, &cli.err) != SN_OK) {
      status = sn_cli_fail(&cli);
    } else {
      sn_cli_print(&cli, "%s", sn_str_get(&text));
      status = sn_cli_finish(&cli, SN_EXIT_OK);
    }
    sn_str_clear(&text);
    goto done;
  }
  status = run_parsed(&p);
done:
  for (size_t i = 0; i < SN_CLI_MAX_TABLES; i++) sn_free(cli.opts[i]);
  sn_free(cli.args);
  sn_free(cli.extra_names);
  sn_free(cli.extra_values);
  sn_free(cli.given);
  sn_ini_destroy(ini);
  return status;
}

/* ---- What commands call ---- */

int sn_cli_fail(sn_cli *cli) {
  fflush(stdout);
  if (cli->err.code == SN_ECANCEL) {
    fprintf(stderr, "senone %s: interrupted\n", cli->cmd->name);
    return 130; /* as a shell reports SIGINT */
  }
  fprintf(stderr, "senone %s: %s\n", cli->cmd->name,
          cli->err.msg[0] != '\0' ? cli->err.msg : "failed");
  return SN_EXIT_FAILED;
}

int sn_cli_usage(sn_cli *cli, const char *fmt, ...) {
  fflush(stdout);
  fprintf(stderr, "senone %s: ", cli->cmd->name);
  va_list ap;
  va_start(ap, fmt);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
  fprintf(stderr, "\nsenone %s --help tells more.\n", cli->cmd->name);
  return SN_EXIT_USAGE;
}

bool sn_cli_is_given(const sn_cli *cli, const char *name) {
  for (size_t i = 0; i < cli->n_given; i++)
    if (strcmp(cli->given[i]->name, name) == 0) return true;
  return false;
}

void sn_cli_print(sn_cli *cli, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  if (vprintf(fmt, ap) < 0 && cli->write_errno == 0) cli->write_errno = errno;
  va_end(ap);
}

int sn_cli_finish(sn_cli *cli, int status) {
  if (fflush(stdout) != 0 && cli->write_errno == 0) cli->write_errno = errno;
  if (cli->write_errno == 0) return status;
  sn_err_clear(&cli->err);
  (void)sn_fail_errno(&cli->err, cli->write_errno,
                      "standard output could not be written");
  return sn_cli_fail(cli);
}
