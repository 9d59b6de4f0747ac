/* SPDX-License-Identifier: Apache-2.0 */
/* senone: finds the command and runs it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mat.h"
#include "base/str.h"
#include "cli/cli_internal.h"
#include "cli/run.h"

#define SN_COMMAND(c) extern const sn_command c;
#include "cli/commands.def"
#undef SN_COMMAND

const sn_command *const sni_commands[] = {
#define SN_COMMAND(c) &c,
#include "cli/commands.def"
#undef SN_COMMAND
    NULL};

/* The one place where a signal meets the work: cli/ only. The first one asks
 * the work to stop. A second one ends the process, unless it comes so soon that
 * it is the same wish: timeout(1), for one, signals its child and then the
 * child's group. */
static sn_log *volatile interrupted_log;
static volatile sig_atomic_t interrupted;
static volatile double interrupted_at_s; /* of a clock that never jumps */
#define SAME_WISH_S 0.5

/* signal() would do here what System V did: reset to the default at once. */
static void handle(int sig, void (*handler)(int)) {
  struct sigaction a;
  memset(&a, 0, sizeof a);
  a.sa_handler = handler;
  (void)sigemptyset(&a.sa_mask);
  a.sa_flags = SA_RESTART; /* stdio does not know EINTR */
  (void)sigaction(sig, &a, NULL);
}

static void on_signal(int sig) {
  struct timespec now = {0, 0};
  (void)clock_gettime(CLOCK_MONOTONIC, &now); /* async-signal-safe */
  const double now_s = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  if (interrupted && now_s - interrupted_at_s > SAME_WISH_S) {
    handle(sig, SIG_DFL);
    (void)raise(sig);
    return;
  }
  if (!interrupted) interrupted_at_s = now_s;
  interrupted = 1;
  if (interrupted_log != NULL) sn_log_cancel(interrupted_log);
}

void sni_cli_on_interrupt(sn_log *log) {
  interrupted_log = log;
  handle(SIGINT, log != NULL ? on_signal : SIG_DFL);
  handle(SIGTERM, log != NULL ? on_signal : SIG_DFL);
}

/* noun NULL: of all commands. */
static int print_list(const char *noun, FILE *to, int status) {
  sn_str text = {0};
  sn_err err = {0};
  if (sni_help_list(noun, &text, &err) == SN_OK)
    fputs(sn_str_get(&text), to);
  else
    fprintf(stderr, "senone: %s\n", err.msg);
  sn_str_clear(&text);
  return status;
}

static bool asks_for_help(const char *word) {
  return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int no_such_command(char **words, size_t n) {
  char given[80];
  if (sni_is_noun(words[0]) && (n == 1 || asks_for_help(words[1])))
    return n > 1 ? print_list(words[0], stdout, SN_EXIT_OK)
                 : print_list(words[0], stderr, SN_EXIT_USAGE);
  (void)snprintf(given, sizeof given, n > 1 ? "%s %s" : "%s", words[0],
                 n > 1 ? words[1] : "");
  const char *near = NULL;
  size_t best = 4;
  const bool is_noun = sni_is_noun(words[0]);
  const size_t len = strlen(words[0]);
  for (size_t i = 0; sni_commands[i] != NULL; i++) {
    const char *const name = sni_commands[i]->name;
    const bool two = strchr(name, ' ') != NULL;
    const size_t d = sn_edit_distance(name, two ? given : words[0], 4);
    if (d < best) {
      best = d;
      near = name;
    }
  }
  fprintf(stderr, "senone: there is no command '%s'",
          is_noun ? given : words[0]);
  if (near != NULL) {
    fprintf(stderr, "; is 'senone %s' meant?", near);
  } else if (is_noun) {
    fprintf(stderr, "; there are:");
    for (size_t i = 0; sni_commands[i] != NULL; i++)
      if (strncmp(sni_commands[i]->name, words[0], len) == 0 &&
          sni_commands[i]->name[len] == ' ')
        fprintf(stderr, " '%s'", sni_commands[i]->name);
  }
  fprintf(stderr, "\n'senone help' lists the commands.\n");
  return SN_EXIT_USAGE;
}

int main(int argc, char **argv) {
  sn_blas_end_threads();
  if (argc < 2) return print_list(NULL, stderr, SN_EXIT_USAGE);
  char **const words = argv + 1;
  const size_t n = (size_t)(argc - 1);
  if (strcmp(words[0], "--version") == 0) {
    printf("senone %s\n", SENONE_VERSION);
    return SN_EXIT_OK;
  }
  if (asks_for_help(words[0])) return print_list(NULL, stdout, SN_EXIT_OK);
  size_t n_words = 0;
  const sn_command *const c = sni_command_find(words, n, &n_words);
  if (c == NULL) return no_such_command(words, n);
  return sni_cli_run(c, n - n_words, words + n_words);
}
