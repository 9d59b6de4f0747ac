/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has found, where it goes: stdout or files, lattices, warnings. */
#include <string.h>

#include "base/io.h"
#include "cli/transcribe_internal.h"

void sni_done_clear(sni_done *d) {
  sn_str_clear(&d->text);
  senone_lattice_destroy(d->lattice);
  d->lattice = NULL;
}

static sn_status write_file(const sni_job *j, const sni_item *item,
                            const sni_done *d, sn_err *err) {
  sn_str path = {0};
  sn_writer *w = NULL;
  SN_TRY(sn_str_addf(&path, err, "%s/", j->opts->output_dir));
  const size_t base = path.n;
  sn_status s = sn_str_addf(&path, err, "%s.%s", item->id,
                            sn_out_ending((sn_out_format)j->opts->output));
  for (size_t i = base; s == SN_OK && i < path.n; i++)
    if (path.data[i] == '/') path.data[i] = '_';
  if (s == SN_OK) s = sn_writer_open(path.data, &w, err);
  if (s == SN_OK) s = sn_write_bytes(w, sn_str_get(&d->text), d->text.n, err);
  if (s == SN_OK) s = sn_writer_commit(w, err);
  sn_writer_destroy(w);
  sn_str_clear(&path);
  return s;
}

static void warn_of(sni_job *j, const sni_item *item, const sni_done *d) {
  sn_log *const log = j->cli->log;
  const double wanted = senone_model_rate_hz(j->model);
  if (d->audio_s <= 0.0)
    sn_warn(log, "%s: no samples, so the result is empty", item->path);
  else if (d->no_speech && d->is_cut_off && d->was_searched)
    sn_warn(log,
            "%s: no path reached the end of what may be said, so the result "
            "is empty: all of its %.1f s are silence or noise, or what was "
            "said was lost; then try a wider --beam or a larger --max-active",
            item->path, d->audio_s);
  else if (d->no_speech)
    sn_warn(log,
            "%s: all of its %.1f s are silence or noise, so the result is "
            "empty",
            item->path, d->audio_s);
  else if (d->no_path)
    sn_warn(log,
            "%s: no path survived the beam, so the result is empty; try a "
            "wider --beam",
            item->path);
  else if (d->is_cut_off)
    sn_warn(log,
            "%s: no path reached the end of what may be said, so the result "
            "is empty; try a wider --beam or a larger --max-active",
            item->path);
  if (d->n_channels > 1 && j->channel == SN_CHANNEL_FIRST &&
      j->n_many_channels++ == 0)
    sn_warn(log,
            "%s: of %d channels the first one is used, here and for others; "
            "--channel=N (from 0) or --channel=mix chooses",
            item->path, (int)d->n_channels);
  if (d->rate_hz < wanted && j->n_low_rate++ == 0)
    sn_warn(log,
            "%s: %g Hz audio for a %g Hz model: there is nothing above %g Hz, "
            "which the model was trained to hear, so expect more errors; a "
            "model made for %g Hz would do better",
            item->path, d->rate_hz, wanted, d->rate_hz / 2, d->rate_hz);
}

static sn_status write_lattice(sni_job *j, const char *id, const sni_done *d,
                               sn_err *err) {
  senone_error e = {0};
  if (d->lattice == NULL || senone_lattice_n_states(d->lattice) == 0)
    return SN_OK; /* of no path a warning tells */
  if (senone_lattice_writer_add(j->lattices, id, d->lattice, &e) != SENONE_OK)
    return sni_take_error(err, &e);
  return SN_OK;
}

sn_status sni_print_done(sni_job *j, const sni_item *item, const char *id,
                         const sni_done *d, sn_err *err) {
  warn_of(j, item, d);
  SN_TRY(write_lattice(j, id, d, err));
  j->totals->n_ok++;
  j->totals->audio_s += d->audio_s;
  j->totals->n_no_speech += d->no_speech;
  if (j->opts->output_dir[0] != '\0') return write_file(j, item, d, err);
  sn_cli_print(j->cli, "%s", sn_str_get(&d->text));
  return SN_OK;
}

sn_status sni_check_ids(const sni_item *items, size_t n, sn_err *err) {
  sn_symtab *ids = NULL;
  sn_str name = {0};
  sn_status s = sn_symtab_create(&ids, err);
  for (size_t i = 0; s == SN_OK && i < n; i++) {
    int32_t id = 0;
    sn_str_reset(&name);
    s = sn_str_adds(&name, items[i].id, err);
    for (size_t k = 0; s == SN_OK && k < name.n; k++)
      if (name.data[k] == '/') name.data[k] = '_';
    if (s == SN_OK) s = sn_symtab_add(ids, sn_str_get(&name), name.n, &id, err);
    if (s == SN_OK && (size_t)id < i)
      s = sn_fail(err, SN_EARG,
                  "%s and %s would both be written to --output-dir as '%s'; "
                  "rename one or transcribe them apart",
                  items[id].path, items[i].path, sn_str_get(&name));
  }
  sn_str_clear(&name);
  sn_symtab_destroy(ids);
  return s;
}
