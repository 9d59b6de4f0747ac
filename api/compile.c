/* SPDX-License-Identifier: Apache-2.0 */
/* A search graph for a language model, a grammar or a list of words that the
 * caller names, from the model's lexicon.
 *
 * With a cache folder the graph is kept there under a name made of everything
 * that goes into it: the acoustic model's topology, the lexicon's and language
 * model's path, size and time of change, the text of grammar, words and
 * classes, and this program's version. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/str.h"
#include "graphs/build.h"
#include "lexicon/store.h"

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
typedef struct digest {
  uint64_t h;
} digest;

static void mix(digest *d, const void *data, size_t n) {
  const unsigned char *const p = data;
  for (size_t i = 0; i < n; i++) d->h = (d->h ^ p[i]) * UINT64_C(1099511628211);
}

static void mix_text(digest *d, const char *s) { mix(d, s, strlen(s) + 1); }

/* Path, size and time of a large file. */
static sn_status mix_stat(digest *d, const char *path, bool optional,
                          sn_err *err) {
  struct stat st;
  if (stat(path, &st) != 0) {
    if (optional) return SN_OK;
    return sn_fail(err, SN_EIO, "'%s' does not exist or can not be read", path);
  }
  mix_text(d, path);
  const int64_t facts[] = {(int64_t)st.st_size, (int64_t)st.st_mtim.tv_sec,
                           (int64_t)st.st_mtim.tv_nsec, (int64_t)st.st_ino};
  mix(d, facts, sizeof facts);
  return SN_OK;
}

static sn_status mix_content(digest *d, const char *path, sn_err *err) {
  char *data = NULL;
  size_t n = 0;
  SN_TRY(sn_file_read(path, &data, &n, err));
  mix_text(d, path);
  mix(d, data, n);
  sn_free(data);
  return SN_OK;
}

static sn_status mix_classes(digest *d, const char *spec, sn_err *err) {
  sn_span rest = sn_word_class_list(spec), name, file;
  bool more;
  for (;;) {
    SN_TRY(sn_word_class_next(&rest, &name, &file, &more, err));
    if (!more) return SN_OK;
    sn_str path = {0};
    mix(d, name.p, name.n);
    sn_status s = sn_str_add(&path, file.p, file.n, err);
    if (s == SN_OK) s = mix_content(d, sn_str_get(&path), err);
    sn_str_clear(&path);
    SN_TRY(s);
  }
}

static sn_status cache_key(const sni_compile *c, digest *d, sn_err *err) {
  const sn_settings *const s = c->settings;
  d->h = UINT64_C(14695981039346656037);
  mix_text(d, SENONE_VERSION);
  const uint32_t facts[] = {SN_GRAPH_VERSION, sn_am_topology_crc(c->am),
                            s->keep_going};
  mix(d, facts, sizeof facts);
  const sn_am_scales scales = sn_am_default_scales(c->am);
  mix(d, &scales.lm_scale, sizeof scales.lm_scale);
  mix(d, &scales.word_penalty, sizeof scales.word_penalty);
  SN_TRY(mix_stat(d, c->lexicon, false, err));
  char wal[4096]; /* what SQLite has not yet moved into the database */
  if (snprintf(wal, sizeof wal, "%s-wal", c->lexicon) < (int)sizeof wal)
    SN_TRY(mix_stat(d, wal, true, err));
  if (s->lm[0] != '\0') SN_TRY(mix_stat(d, s->lm, false, err));
  if (s->grammar[0] != '\0') SN_TRY(mix_content(d, s->grammar, err));
  if (s->words[0] != '\0') SN_TRY(mix_content(d, s->words, err));
  mix_text(d, s->rule);
  SN_TRY(mix_classes(d, s->classes, err));
  mix(d, &s->grammar_weight, sizeof s->grammar_weight);
  mix(d, &s->grammar_place, sizeof s->grammar_place);
  return SN_OK;
}

/* Folder and name of the file that the graph goes to. */
static sn_status choose_path(const sni_compile *c, char **path, bool *remove_it,
                             sn_err *err) {
  const sn_settings *const s = c->settings;
  char name[64];
  if (s->cache[0] != '\0') {
    digest d;
    SN_TRY(cache_key(c, &d, err));
    SN_TRY(sn_dir_make(s->cache, err));
    (void)snprintf(name, sizeof name, "%016" PRIx64 ".sng", d.h);
    *path = sn_path_join(s->cache, name);
    return *path != NULL ? SN_OK : sn_fail_nomem(err, "graph");
  }
  *path = sn_path_join(s->temp, "senone-XXXXXX");
  if (*path == NULL) return sn_fail_nomem(err, "graph");
  const int fd = mkstemp(*path);
  if (fd < 0)
    return sn_fail(err, SN_EIO,
                   "no temporary file for the graph can be made in '%s'; name "
                   "another folder (temp) or a cache",
                   s->temp);
  (void)close(fd);
  *remove_it = true;
  return SN_OK;
}

static sn_status load_lexicon(const char *path, sn_lexicon *lex, sn_err *err) {
  sn_store *store = NULL;
  SN_TRY(sn_store_open(path, SN_STORE_READ, &store, err));
  const sn_status s = sn_store_load(store, lex, err);
  sn_store_destroy(store);
  return s;
}

static sn_status build(const sni_compile *c, const char *path, sn_err *err) {
  const sn_settings *const set = c->settings;
  sn_lexicon lex = {0};
  sn_ngram *lm = NULL;
  sn_grammar grammar = {0};
  sn_word_classes classes = {0};
  const bool has_grammar = set->grammar[0] != '\0' || set->words[0] != '\0';
  sn_status s = load_lexicon(c->lexicon, &lex, err);
  if (s == SN_OK && set->lm[0] != '\0')
    s = sn_ngram_load(set->lm, c->log, &lm, err);
  if (s == SN_OK && set->grammar[0] != '\0')
    s = sn_grammar_load_jsgf(
        set->grammar, set->rule[0] != '\0' ? set->rule : NULL, &grammar, err);
  else if (s == SN_OK && set->words[0] != '\0')
    s = sn_grammar_load_words(set->words, &grammar, err);
  if (s == SN_OK) s = sn_word_classes_load(set->classes, &classes, err);
  if (s == SN_OK) {
    sn_graph_opts o;
    sn_opt_defaults(sn_graph_opt_table, &o);
    o.grammar_weight = set->grammar_weight;
    o.grammar_place = set->grammar_place;
    o.on_missing = set->keep_going ? SN_MISSING_DROP : SN_MISSING_REFUSE;
    const sn_graph_inputs in = {c->am, &lex, lm, has_grammar ? &grammar : NULL,
                                lm != NULL ? &classes : NULL};
    s = sn_graph_build_from(&in, &o, c->log, path, NULL, err);
  }
  sn_grammar_clear(&grammar);
  sn_word_classes_clear(&classes);
  sn_ngram_destroy(lm);
  sn_lexicon_clear(&lex);
  return s;
}

sn_status sni_compile_graph(const sni_compile *c, char **path, bool *remove_it,
                            sn_err *err) {
  *path = NULL;
  *remove_it = false;
  if (c->settings->grammar[0] != '\0' && c->settings->words[0] != '\0')
    return sn_fail(err, SN_EARG, "give either grammar or words");
  if (c->settings->classes[0] != '\0' && c->settings->lm[0] == '\0')
    return sn_fail(err, SN_EARG, "class: its words are those of lm: give one");
  if (!sn_file_exists(c->lexicon))
    return sn_fail(err, SN_EIO,
                   "the model has no lexicon: there is no '%s', so no graph "
                   "can be compiled ('senone lexicon import' makes it)",
                   c->lexicon);
  SN_TRY(choose_path(c, path, remove_it, err));
  if (!*remove_it && sn_file_exists(*path)) return SN_OK;
  const sn_status s = build(c, *path, err);
  if (s != SN_OK && *remove_it) (void)unlink(*path);
  if (s != SN_OK) *remove_it = false;
  return s;
}
