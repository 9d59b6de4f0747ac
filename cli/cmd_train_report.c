/* SPDX-License-Identifier: Apache-2.0 */
/* senone train report: learning curves and the tree of a phone. */
#include <stddef.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "train/report.h"

typedef struct report_opts {
  const char *stage, *phone, *dir;
} report_opts;

#define AT(field) offsetof(report_opts, field)
static const sn_opt table[] = {
    {"stage", SN_OPT_STRING, AT(stage), 0, 0, 0, "", "",
     "this one alone; else all there are, and the trees of the last one"},
    {"phone", SN_OPT_STRING, AT(phone), 0, 0, 0, "", "",
     "whose tree is drawn; else the one with the most leaves"},
    {"output-dir", SN_OPT_STRING, AT(dir), 0, 0, 0, "", "",
     "folder of the drawings; else EXP"},
    SN_OPT_END};
#undef AT

static const char *or_null(const char *s) { return s[0] != '\0' ? s : NULL; }

static sn_status write_svg(sn_cli *cli, const char *dir, const char *name,
                           const sn_str *svg) {
  char *const path = sn_path_join(dir, name);
  sn_writer *w = NULL;
  if (path == NULL) return sn_fail_nomem(&cli->err, "report");
  sn_status s = sn_writer_open(path, &w, &cli->err);
  if (s == SN_OK) s = sn_write_bytes(w, svg->data, svg->n, &cli->err);
  if (s == SN_OK) s = sn_writer_commit(w, &cli->err);
  if (s == SN_OK) sn_cli_print(cli, "%s\n", path);
  sn_writer_destroy(w);
  sn_free(path);
  return s;
}

static void print_table(sn_cli *cli, const sn_train_report *r) {
  sn_cli_print(cli,
               "stage\tpasses\tutterances\tleft out\tnot aligned\tframes\t"
               "pdfs\tGaussians\tlog-likelihood\tCPU s\n");
  for (size_t i = 0; i < r->n; i++) {
    const sn_train_log *const l = &r->stages[i];
    double cpu = 0;
    for (size_t k = 0; k < l->n_passes; k++) cpu += l->passes[k].cpu_s;
    sn_cli_print(
        cli, "%s\t%zu\t%lld\t%lld\t%lld\t%lld\t%lld\t%lld\t%.4f\t%.1f\n",
        l->stage, l->n_passes, (long long)l->utterances, (long long)l->left_out,
        (long long)l->failed, (long long)l->frames, (long long)l->pdfs,
        (long long)l->gaussians, l->passes[l->n_passes - 1].logp, cpu);
  }
}

static sn_status draw_tree(sn_cli *cli, const sn_train_report *r,
                           const char *dir) {
  const report_opts *const o = cli->opts[0];
  sn_str svg = {0}, name = {0};
  char *phone = NULL;
  sn_status s = sn_train_report_tree(r, cli->args[0], or_null(o->phone), &svg,
                                     &phone, &cli->err);
  if (s == SN_OK) s = sn_str_addf(&name, &cli->err, "tree-%s.svg", phone);
  for (size_t i = 0; s == SN_OK && i < name.n; i++)
    if (name.data[i] == '/') name.data[i] = '_';
  if (s == SN_OK) s = write_svg(cli, dir, sn_str_get(&name), &svg);
  sn_free(phone);
  sn_str_clear(&name);
  sn_str_clear(&svg);
  return s;
}

static sn_status draw(sn_cli *cli, const sn_train_report *r) {
  const report_opts *const o = cli->opts[0];
  const char *const dir = o->dir[0] != '\0' ? o->dir : cli->args[0];
  sn_str svg = {0};
  sn_status s = sn_dir_make(dir, &cli->err);
  if (s == SN_OK) s = sn_report_curves_svg(r->stages, r->n, &svg, &cli->err);
  if (s == SN_OK) s = write_svg(cli, dir, "curves.svg", &svg);
  sn_str_clear(&svg);
  /* Monophones alone have no trees: that is no fault unless one is asked for.
   */
  if (s == SN_OK && (r->tree_stage != NULL || o->phone[0] != '\0'))
    s = draw_tree(cli, r, dir);
  return s;
}

static int run_report(sn_cli *cli) {
  const report_opts *const o = cli->opts[0];
  sn_train_report r = {0};
  sn_status s =
      sn_train_report_load(cli->args[0], or_null(o->stage), &r, &cli->err);
  if (s == SN_OK) {
    print_table(cli, &r);
    s = draw(cli, &r);
  }
  sn_train_report_clear(&r);
  return s == SN_OK ? sn_cli_finish(cli, SN_EXIT_OK) : sn_cli_fail(cli);
}

const sn_command sn_cmd_train_report = {
    .name = "train report",
    .synopsis = "[--option=value ...] EXP",
    .summary = "draw the learning curves of training and the tree of a phone",
    .description =
        "Reads what the stages of 'senone train' left in the folder EXP, "
        "prints a table of them (TAB-separated; the log-likelihood is that of "
        "the last pass, in nat a frame), and draws curves.svg: "
        "log-likelihood, Gaussians and utterances not aligned, pass by pass; "
        "and tree-PHONE.svg: the decision tree of a phone with the frames and "
        "Gaussians of each leaf. Leaves that were joined have the same pdf. "
        "The names of the drawings are printed as well.",
    .example =
        "mkdir -p cards\n"
        "ls /usr/share/pocketsphinx/test/data/cards/*.wav | "
        "sed 's/.*\\/\\(.*\\)\\.wav/\\1 &/' > cards/wav.scp\n"
        "sed 's/<s> \\(.*\\) <.s> (\\(.*\\))/\\2 \\1/' "
        "/usr/share/pocketsphinx/test/data/cards/cards.transcription > "
        "cards/text\n"
        "senone train mono --mono-passes=5 cards "
        "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict exp-report\n"
        "senone train report exp-report",
    .tables = {{table, sizeof(report_opts)}},
    .min_args = 1,
    .max_args = 1,
    .run = run_report};
