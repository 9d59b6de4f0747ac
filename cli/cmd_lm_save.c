/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_lm_save.h"

#include <string.h>

static bool is_arpa_name(const char *path) {
  static const char *const ends[] = {".arpa", ".lm", ".gz"};
  const size_t n = strlen(path);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    const size_t m = strlen(ends[i]);
    if (n >= m && strcmp(path + n - m, ends[i]) == 0) return true;
  }
  return strcmp(path, "-") == 0;
}

sn_status sn_cli_lm_save(sn_cli *cli, const sn_ngram *lm, int32_t format,
                         const char *path) {
  static const sn_ngram_format formats[] = {SN_NGRAM_BINARY, SN_NGRAM_ARPA,
                                            SN_NGRAM_BINARY, SN_NGRAM_FAST,
                                            SN_NGRAM_SMALL};
  const sn_ngram_format f =
      format == 0 && is_arpa_name(path) ? SN_NGRAM_ARPA : formats[format];
  SN_TRY(sn_ngram_save(lm, path, f, cli->log, &cli->err));
  for (int32_t k = 1; k <= sn_ngram_order(lm); k++)
    sn_info(cli->log, "%s: %lld %d-grams", path,
            (long long)sn_ngram_count(lm, k), k);
  return SN_OK;
}
