/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_lm_save.h"

#include <string.h>

#include "base/str.h"
#include "lm/class_token.h"

#define SMALL_CHOICE 4 /* of SN_CLI_LM_FORMAT_OPT */

static bool is_arpa_name(const char *path) {
  static const char *const ends[] = {".arpa", ".lm", ".gz"};
  const size_t n = strlen(path);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    const size_t m = strlen(ends[i]);
    if (n >= m && strcmp(path + n - m, ends[i]) == 0) return true;
  }
  return strcmp(path, "-") == 0;
}

sn_ngram_format sn_cli_lm_format_of(int32_t format, const char *path) {
  static const sn_ngram_format formats[] = {SN_NGRAM_BINARY, SN_NGRAM_ARPA,
                                            SN_NGRAM_BINARY, SN_NGRAM_FAST,
                                            SN_NGRAM_SMALL};
  return format == 0 && is_arpa_name(path) ? SN_NGRAM_ARPA : formats[format];
}

int sn_cli_lm_format_check(sn_cli *cli, const sn_cli_lm_format *how) {
  if (!sn_cli_is_given(cli, "bits") || how->format == SMALL_CHOICE) return 0;
  return sn_cli_usage(cli,
                      "--bits without --format=small, the one format whose "
                      "weights are quantised");
}

void sn_cli_lm_report(sn_cli *cli, const char *what, const sn_ngram *lm) {
  sn_str text = {0};
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
    if (sn_str_addf(&text, NULL, "%s%lld %d-grams", k > 1 ? ", " : "",
                    (long long)sn_ngram_count(lm, k), k) != SN_OK)
      break;
  sn_info(cli->log, "%s: %s", what, sn_str_get(&text));
  sn_str_clear(&text);
}

sn_status sn_cli_lm_warn_classes(sn_cli *cli, const char *what,
                                 const sn_ngram *lm, const char *means) {
  sn_str names = {0};
  int32_t n = 0;
  sn_status s =
      sn_class_tokens(lm, SN_CLASS_NAMED, NULL, &names, &n, &cli->err);
  if (s == SN_OK && n == 0)
    s = sn_class_tokens(lm, SN_CLASS_FOUND, NULL, &names, &n, &cli->err);
  if (s == SN_OK && n > 0)
    sn_warn(cli->log, "%s has %d classes (%s): %s", what, n, sn_str_get(&names),
            means);
  sn_str_clear(&names);
  return s;
}

sn_status sn_cli_lm_save_as(sn_cli *cli, const sn_ngram *lm,
                            const sn_cli_lm_format *how, const char *path) {
  const sn_ngram_format f = sn_cli_lm_format_of(how->format, path);
  if (f == SN_NGRAM_SMALL)
    SN_TRY(sn_ngram_save_small(lm, path,
                               how->bits > 0 ? how->bits : SN_NGRAM_SMALL_BITS,
                               cli->log, &cli->err));
  else
    SN_TRY(sn_ngram_save(lm, path, f, cli->log, &cli->err));
  sn_cli_lm_report(cli, path, lm);
  return SN_OK;
}

sn_status sn_cli_lm_save(sn_cli *cli, const sn_ngram *lm, int32_t format,
                         const char *path) {
  const sn_cli_lm_format how = {.format = format};
  return sn_cli_lm_save_as(cli, lm, &how, path);
}
