/* SPDX-License-Identifier: Apache-2.0 */
/* A model: the acoustic model, the graph, and whether they belong together.
 *
 * Nothing large is read here: the graph is mapped, its blocks are verified
 * when the search first comes to them (graphs/graph.h), and the lexicon and
 * the language model are opened only when a graph has to be compiled. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/ini.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "decoder/lat_align.h"

/* ---- Callbacks behind an sn_log ---- */

static void log_message(void *user, sn_log_level level, const char *text) {
  const senone_model *const m = user;
  if (m->callbacks.log != NULL)
    m->callbacks.log(m->callbacks.user, (senone_log_level)level, text);
}

static void log_progress(void *user, const char *what, const char *unit,
                         int64_t done, int64_t total, bool last) {
  const senone_model *const m = user;
  if (m->callbacks.progress != NULL)
    m->callbacks.progress(m->callbacks.user, what, unit, done, total, last);
  if (m->callbacks.poll != NULL && m->callbacks.poll(m->callbacks.user) != 0)
    sn_log_cancel(m->log);
}

/* ---- Finding it ---- */

static sn_status holds_model(const char *dir, bool *holds, sn_err *err) {
  char *const ini = sn_path_join(dir, "model.ini");
  if (ini == NULL) return sn_fail_nomem(err, "model");
  *holds = sn_file_exists(ini);
  sn_free(ini);
  return SN_OK;
}

/* folder/name into *dir where that is a model; NULL where not. */
static sn_status look_in(sn_span folder, const char *name, char **dir,
                         sn_err *err) {
  *dir = NULL;
  if (folder.n == 0) return SN_OK;
  char *const base = sn_strndup(folder.p, folder.n);
  char *path = base != NULL ? sn_path_join(base, name) : NULL;
  sn_free(base);
  if (path == NULL) return sn_fail_nomem(err, "model");
  bool holds = false;
  const sn_status s = holds_model(path, &holds, err);
  if (holds)
    *dir = path;
  else
    sn_free(path);
  return s;
}

sn_status sni_model_find(const char *name, const char *models, char **dir,
                         sn_err *err) {
  *dir = NULL;
  bool holds = false;
  SN_TRY(holds_model(name, &holds, err));
  if (holds) {
    *dir = sn_strdup(name);
    return *dir != NULL ? SN_OK : sn_fail_nomem(err, "model");
  }
  if (strchr(name, '/') != NULL || sn_dir_exists(name))
    return sn_fail(
        err, SN_EARG,
        "model '%s': %s; a model is a folder with a model.ini "
        "('senone am import-sphinx' makes one)",
        name,
        sn_dir_exists(name) ? "there is no model.ini in it" : "no such folder");
  sn_span rest = sn_span_of(models != NULL ? models : ""), folder;
  while (*dir == NULL && sn_next_field_sep(&rest, ':', &folder))
    SN_TRY(look_in(folder, name, dir, err));
  if (*dir != NULL) return SN_OK;
  return sn_fail(
      err, SN_EARG,
      "there is no model '%s' in %s; give the path of a folder with "
      "a model.ini, or make one ('senone am import-sphinx')",
      name,
      models != NULL && models[0] != '\0' ? models : "the current folder");
}

sn_status sni_model_file(const senone_model *m, const sn_ini *ini,
                         const char *key, const char *usual, char **path,
                         sn_err *err) {
  const char *name = sn_ini_get(ini, "files", key);
  *path = NULL;
  if (name == NULL || name[0] == '\0') name = usual;
  if (name == NULL) return SN_OK;
  *path = name[0] == '/' ? sn_strdup(name) : sn_path_join(m->dir, name);
  return *path != NULL ? SN_OK : sn_fail_nomem(err, "model");
}

/* ---- Loading ---- */

/* Where model.ini does not say. */
#define DEFAULT_LATTICE_BEAM 6.0

static sn_status read_decode(senone_model *m, const sn_ini *ini,
                             const sn_settings *set, sn_err *err) {
  sn_opt_defaults(sn_decoder_opt_table, &m->decode);
  double beam = (double)m->decode.beam, most = (double)m->decode.max_active,
         least = (double)m->decode.min_active, lattice = DEFAULT_LATTICE_BEAM;
  SN_TRY(sn_ini_get_double(ini, "decode", "beam", &beam, err));
  SN_TRY(sn_ini_get_double(ini, "decode", "max-active", &most, err));
  SN_TRY(sn_ini_get_double(ini, "decode", "min-active", &least, err));
  SN_TRY(sn_ini_get_double(ini, "decode", "lattice-beam", &lattice, err));
  if (!(beam > 0 && beam <= 1e30 && most >= 1 && most <= 1e8 && least >= 0 &&
        least <= most && lattice > 0 && lattice <= 1e30))
    return sn_fail(err, SN_EFORMAT,
                   "%s/model.ini: [decode] needs beam (%g) and lattice-beam "
                   "(%g) above 0 and 0 <= min-active (%g) <= max-active (%g)",
                   m->dir, beam, lattice, least, most);
  m->decode.beam = (float)beam;
  m->decode.max_active = (int32_t)most;
  m->decode.min_active = (int32_t)least;
  m->decode.lattice_beam = (float)lattice;
  m->settings = *set;
  m->settings.models = m->settings.graph = m->settings.lm = NULL;
  m->settings.grammar = m->settings.rule = m->settings.words = NULL;
  m->settings.classes = NULL;
  m->settings.cache = m->settings.temp = NULL;
  m->settings.rescore_lm = m->settings.graph_lm = NULL;
  return SN_OK;
}

/* Whether the graph was built for this acoustic model. */
static sn_status check_graph(const senone_model *m, const char *path,
                             sn_err *err) {
  if (m->graph->n_pdfs != sn_am_n_pdfs(m->am))
    return sn_fail(err, SN_EMISMATCH,
                   "graph '%s' was built for an acoustic model with %d pdfs, "
                   "'%s' has %d; build the graph again with this model "
                   "('senone graph build')",
                   path, (int)m->graph->n_pdfs, m->name,
                   (int)sn_am_n_pdfs(m->am));
  const char *const made_for = sn_graph_meta(m->graph, "am-checksum");
  char ours[16];
  (void)snprintf(ours, sizeof ours, "%08x",
                 (unsigned)sn_am_topology_crc(m->am));
  if (made_for != NULL && strcmp(made_for, ours) != 0)
    return sn_fail(err, SN_EMISMATCH,
                   "graph '%s' was built for another acoustic model (checksum "
                   "%s, that of '%s' is %s); build the graph again with this "
                   "model ('senone graph build')",
                   path, made_for, m->name, ours);
  return SN_OK;
}

static sn_status open_graph(senone_model *m, const sn_ini *ini,
                            const sn_settings *set, sn_err *err) {
  char *path = NULL, *lexicon = NULL;
  bool remove_it = false;
  sn_status s = SN_OK;
  const bool compile = set->lm[0] != '\0' || set->grammar[0] != '\0' ||
                       set->words[0] != '\0' || set->classes[0] != '\0';
  if (compile) {
    if (set->graph[0] != '\0')
      return sn_fail(err, SN_EARG,
                     "give either graph or one of lm, grammar, words");
    SN_TRY(sni_model_file(m, ini, "lexicon", "lexicon.db", &lexicon, err));
    const sni_compile c = {m->am, set, lexicon, m->log};
    s = sni_compile_graph(&c, &path, &remove_it, err);
  } else if (set->graph[0] != '\0') {
    path = sn_strdup(set->graph);
    if (path == NULL) s = sn_fail_nomem(err, "model");
  } else {
    s = sni_model_file(m, ini, "graph", "graph.sng", &path, err);
    if (s == SN_OK && !sn_file_exists(path))
      s = sn_fail(err, SN_EIO,
                  "model '%s' has no search graph: there is no '%s'; make it "
                  "('senone graph build') or give lm, grammar or words",
                  m->name, path);
  }
  if (s == SN_OK) s = sn_graph_open(path, &m->graph, err);
  if (remove_it && path != NULL) (void)unlink(path); /* it stays mapped */
  if (s == SN_OK) s = check_graph(m, path, err);
  sn_free(path);
  sn_free(lexicon);
  return s;
}

/* Alignments of lattices tell loops from entries, for times of words. */
static sn_status make_ali_of(senone_model *m, sn_err *err) {
  const int32_t n = 2 * m->graph->n_labels;
  m->ali_of = sn_calloc((size_t)n, sizeof *m->ali_of);
  if (m->ali_of == NULL) return sn_fail_nomem(err, "model");
  for (int32_t i = 0; i < n; i++) m->ali_of[i] = i;
  return sn_lat_labels_add(m->graph, &m->labels, err);
}

static sn_status load(senone_model *m, const char *name, const sn_settings *set,
                      sn_err *err) {
  sn_ini *ini = NULL;
  SN_TRY(sni_model_find(name, set->models, &m->dir, err));
  char *const path = sn_path_join(m->dir, "model.ini");
  if (path == NULL) return sn_fail_nomem(err, "model");
  sn_status s = sn_ini_load(path, &ini, err);
  sn_free(path);
  if (s == SN_OK) {
    const char *own = sn_ini_get(ini, "model", "name");
    m->name = sn_strdup(own != NULL ? own : sn_path_base(m->dir));
    if (m->name == NULL) s = sn_fail_nomem(err, "model");
  }
  if (s == SN_OK) s = read_decode(m, ini, set, err);
  if (s == SN_OK)
    s = sn_conf_from_ini(ini, &m->confidence, &m->has_confidence, err);
  if (s == SN_OK) s = sn_am_load(m->dir, m->log, &m->am, err);
  if (s == SN_OK)
    s = sn_feat_create(sn_am_feat(m->am), SN_FEAT_FULL, &m->feat, err);
  if (s == SN_OK)
    s = sni_adapt_open(&m->adapt, m->dir, m->am, ini, m->log, err);
  if (s == SN_OK) s = open_graph(m, ini, set, err);
  if (s == SN_OK) s = sni_second_open(m, ini, set, err);
  if (s == SN_OK) s = make_ali_of(m, err);
  sn_ini_destroy(ini);
  return s;
}

senone_status senone_model_load(const char *name, const senone_options *options,
                                senone_model **out, senone_error *error) {
  *out = NULL;
  sn_err err = {0};
  sn_settings deflt;
  sn_opt_defaults(sn_settings_table, &deflt);
  senone_model *const m = sn_calloc(1, sizeof *m);
  sn_status s = m != NULL ? SN_OK : sn_fail_nomem(&err, "model");
  if (s == SN_OK && options != NULL) m->callbacks = options->callbacks;
  if (s == SN_OK) {
    const bool watch =
        m->callbacks.progress != NULL || m->callbacks.poll != NULL;
    s = sn_log_create(log_message, watch ? log_progress : NULL, m,
                      (sn_log_level)m->callbacks.level, &m->log, &err);
  }
  if (s == SN_OK)
    s = load(m, name, options != NULL ? &options->settings : &deflt, &err);
  if (s != SN_OK) {
    senone_model_destroy(m);
    return sni_report(&err, s, error);
  }
  *out = m;
  return SENONE_OK;
}

void senone_model_destroy(senone_model *m) {
  if (m == NULL) return;
  sni_second_clear(&m->second);
  sn_free(m->ali_of);
  sn_str_clear(&m->labels);
  sn_graph_destroy(m->graph);
  sn_feat_destroy(m->feat);
  sni_adapt_clear(&m->adapt);
  sn_am_destroy(m->am);
  sn_log_destroy(m->log);
  sn_free(m->name);
  sn_free(m->dir);
  sn_free(m);
}

const char *senone_model_name(const senone_model *m) { return m->name; }

double senone_model_rate_hz(const senone_model *m) {
  return sn_feat_rate_hz(m->feat);
}

int32_t senone_model_n_words(const senone_model *m) {
  return m->graph->n_words;
}

const char *senone_model_word(const senone_model *m, int32_t i) {
  return sn_graph_word(m->graph, i);
}
