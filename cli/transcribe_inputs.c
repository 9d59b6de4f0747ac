/* SPDX-License-Identifier: Apache-2.0 */
/* What to transcribe: files and data directories into a list of items. */
#include <string.h>

#include "base/io.h"
#include "base/mem.h"
#include "cli/transcribe_internal.h"

void sni_inputs_clear(sni_inputs *in) {
  for (size_t i = 0; i < in->dirs.n; i++) sn_datadir_clear(&in->dirs.data[i]);
  for (size_t i = 0; i < in->ids.n; i++) sn_free(in->ids.data[i]);
  SN_ARR_FREE(&in->dirs);
  SN_ARR_FREE(&in->ids);
  SN_ARR_FREE(&in->items);
}

static sn_status add_dir(sni_inputs *in, const char *path, sn_log *log,
                         sn_err *err) {
  const sn_datadir empty = {0};
  SN_TRY(SN_ARR_PUSH(&in->dirs, empty, err));
  sn_datadir *const d = &in->dirs.data[in->dirs.n - 1];
  SN_TRY(sn_datadir_load_unchecked(path, log, d, err));
  for (size_t i = 0; i < d->n; i++) {
    const sn_utt *const u = &d->utts[i];
    const sni_item item = {u->id, u->path, u->begin_s, u->end_s, u->speaker};
    SN_TRY(SN_ARR_PUSH(&in->items, item, err));
  }
  return SN_OK;
}

/* The id of a file is its base name without ending. */
static sn_status add_file(sni_inputs *in, const char *path, sn_err *err) {
  const char *const base =
      strcmp(path, "-") == 0 ? "stdin" : sn_path_base(path);
  const char *const dot = strrchr(base, '.');
  char *const id = sn_strndup(
      base, dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base));
  if (id == NULL) return sn_fail_nomem(err, "transcribe");
  if (SN_ARR_PUSH(&in->ids, id, err) != SN_OK) {
    sn_free(id);
    return SN_ENOMEM;
  }
  const sni_item item = {id, path, 0, 0, NULL};
  return SN_ARR_PUSH(&in->items, item, err);
}

static bool is_data_dir(const char *path) {
  char *const scp = sn_path_join(path, "wav.scp");
  const bool is = scp != NULL && sn_file_exists(scp);
  sn_free(scp);
  return is;
}

/* A data directory that can not be read is a failure like any other input. */
sn_status sni_gather(sn_cli *cli, sni_totals *totals, sni_inputs *in) {
  for (size_t i = 0; i < cli->n_args; i++) {
    const char *const path = cli->args[i];
    if (!sn_dir_exists(path)) {
      SN_TRY(add_file(in, path, &cli->err));
      continue;
    }
    sn_err err = {0};
    sn_status s =
        is_data_dir(path)
            ? add_dir(in, path, cli->log, &err)
            : sn_fail(&err, SN_EARG,
                      "'%s' is a folder without a wav.scp, so no data "
                      "directory; name its recordings instead",
                      path);
    if (s == SN_OK) continue;
    sn_log_msg(cli->log, SN_LOG_ERROR, "%s", err.msg);
    totals->n_failed++;
  }
  return SN_OK;
}
