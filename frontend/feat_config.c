/* SPDX-License-Identifier: Apache-2.0 */
/* Front-end settings by name.
 *
 * A dialect has one or two option tables, one behind the other; the value of
 * entry i of all of them is kept twice: in the options struct, and as text
 * (values[i]) for sn_feat_config_get and for model files. Texts live in an
 * arena until the configuration goes, so that string options may point to
 * them. Options of other parts of Sphinx are kept as texts only.
 *
 * A failed set changes nothing: it works on copies of the structs, which hold
 * no memory of their own. */
#include <string.h>

#include "base/arena.h"
#include "base/arr.h"
#include "base/mem.h"
#include "frontend/extractor_internal.h"
#include "frontend/feat_config_internal.h"
#include "frontend/kaldi_opts_internal.h"
#include "frontend/sphinx_opts_internal.h"

#define AT(field) offsetof(sni_post_opts, field)
const sn_opt sni_post_opt_table[] = {
    {"cmn", SN_OPT_ENUM, AT(cmn), SNI_POST_CMN_NONE, 0, 3,
     "none|utterance|sliding|speaker", "", "mean (and variance) subtraction"},
    {"norm-means", SN_OPT_BOOL, AT(norm_means), 1, 0, 1, NULL, "",
     "cmn: subtract means"},
    {"norm-vars", SN_OPT_BOOL, AT(norm_vars), 0, 0, 1, NULL, "",
     "cmn: divide by deviations"},
    {"cmn-window", SN_OPT_INT, AT(cmn_window), 600, 1, 1000000, NULL, "frames",
     "cmn sliding: window"},
    {"min-cmn-window", SN_OPT_INT, AT(min_cmn_window), 100, 1, 1000000, NULL,
     "frames", "cmn sliding: shortest window, at the start"},
    {"center", SN_OPT_BOOL, AT(center), 0, 0, 1, NULL, "",
     "cmn sliding: window around the frame"},
    {"delta-order", SN_OPT_INT, AT(delta_order), 0, 0, 16, NULL, "",
     "orders of deltas to add"},
    {"delta-window", SN_OPT_INT, AT(delta_window), 2, 1, 1000, NULL, "frames",
     "deltas: regression window on each side"},
    {"left-context", SN_OPT_INT, AT(left_context), 0, 0, 1000, NULL, "frames",
     "frames to splice before"},
    {"right-context", SN_OPT_INT, AT(right_context), 0, 0, 1000, NULL, "frames",
     "frames to splice behind"},
    {"transform", SN_OPT_STRING, AT(transform), 0, 0, 0, "", "",
     "file with a linear or affine transform (Kaldi matrix)"},
    SN_OPT_END};
#undef AT

typedef struct setting {
  const char *name, *text, *deflt; /* deflt: NULL for foreign ones */
} setting;

/* All option structs; copied with =. */
typedef struct all_opts {
  sni_sphinx_opts sphinx;
  sni_kaldi_opts kaldi;
  sni_post_opts post;
} all_opts;

struct sn_feat_config {
  sn_feat_dialect dialect;
  all_opts opts;
  SN_ARR(setting) values;  /* parallel to the dialect's tables */
  SN_ARR(setting) foreign; /* as they came */
  sn_arena texts;
};

/* Table t of the dialect and its struct; NULL when there is none. */
static const sn_opt *table_at(sn_feat_dialect dialect, size_t t, all_opts *opts,
                              void **of) {
  if (dialect == SN_FEAT_SPHINX) {
    *of = &opts->sphinx;
    return t == 0 ? sni_sphinx_opt_table : NULL;
  }
  *of = t == 0 ? (void *)&opts->kaldi : (void *)&opts->post;
  return t == 0 ? sni_kaldi_opt_table : t == 1 ? sni_post_opt_table : NULL;
}

/* The option, its struct within opts and its index in values. */
static const sn_opt *find(sn_feat_dialect dialect, const char *name,
                          all_opts *opts, void **of, size_t *index) {
  size_t before = 0;
  const sn_opt *tab;
  for (size_t t = 0; (tab = table_at(dialect, t, opts, of)) != NULL; t++) {
    const sn_opt *o = sn_opt_find(tab, name);
    if (o != NULL) {
      *index = before + (size_t)(o - tab);
      return o;
    }
    for (; tab->name != NULL; tab++) before++;
  }
  return NULL;
}

/* The option's value as text that lives as long as the arena. */
static sn_status value_text(sn_arena *texts, const sn_opt *o, const void *of,
                            const char **out, sn_err *err) {
  sn_str s = {0};
  sn_status status = sn_opt_get(o, of, &s, err);
  if (status == SN_OK) {
    *out = sn_arena_strndup(texts, sn_str_get(&s), s.n);
    if (*out == NULL) status = sn_fail_nomem(err, "front-end settings");
  }
  sn_str_clear(&s);
  return status;
}

sn_status sn_feat_config_create(sn_feat_dialect dialect, sn_feat_config **out,
                                sn_err *err) {
  *out = NULL;
  sn_feat_config *c = sn_calloc(1, sizeof *c);
  if (c == NULL) return sn_fail_nomem(err, "front-end settings");
  c->dialect = dialect;
  c->texts.chunk_bytes = 4096;
  void *of;
  const sn_opt *tab;
  for (size_t t = 0; (tab = table_at(dialect, t, &c->opts, &of)) != NULL; t++) {
    sn_opt_defaults(tab, of);
    for (; tab->name != NULL; tab++) {
      setting v = {.name = tab->name};
      sn_status s = value_text(&c->texts, tab, of, &v.text, err);
      v.deflt = v.text;
      if (s == SN_OK) s = SN_ARR_PUSH(&c->values, v, err);
      if (s != SN_OK) {
        sn_feat_config_destroy(c);
        return s;
      }
    }
  }
  *out = c;
  return SN_OK;
}

void sn_feat_config_destroy(sn_feat_config *c) {
  if (c == NULL) return;
  SN_ARR_FREE(&c->values);
  SN_ARR_FREE(&c->foreign);
  sn_arena_clear(&c->texts);
  sn_free(c);
}

sn_status sn_feat_config_copy(const sn_feat_config *from, sn_feat_config **out,
                              sn_err *err) {
  sn_feat_config *c;
  SN_TRY(sn_feat_config_create(from->dialect, &c, err));
  const char *name, *value;
  for (size_t i = 0; (name = sn_feat_config_at(from, i, &value)) != NULL; i++) {
    const sn_status s = sn_feat_config_set(c, name, value, err);
    if (s == SN_OK) continue;
    sn_feat_config_destroy(c);
    *out = NULL;
    return s;
  }
  *out = c;
  return SN_OK;
}

static sn_status set_foreign(sn_feat_config *c, const char *name,
                             const char *value, sn_err *err) {
  setting v = {.name = sn_arena_strndup(&c->texts, name, strlen(name)),
               .text = sn_arena_strndup(&c->texts, value, strlen(value))};
  if (v.name == NULL || v.text == NULL)
    return sn_fail_nomem(err, "front-end settings");
  for (size_t i = 0; i < c->foreign.n; i++)
    if (strcmp(c->foreign.data[i].name, name) == 0) {
      c->foreign.data[i] = v;
      return SN_OK;
    }
  return SN_ARR_PUSH(&c->foreign, v, err);
}

/* The nearest known name, where one is near. */
static sn_status fail_unknown(const sn_feat_config *c, const char *name,
                              sn_err *err) {
  const char *nearest = NULL, *candidate;
  size_t best = strlen(name) / 3 + 2;
  for (size_t i = 0;; i++) {
    if (i < c->values.n)
      candidate = c->values.data[i].name;
    else if (c->dialect == SN_FEAT_SPHINX)
      candidate = sni_sphinx_foreign_at(i - c->values.n);
    else
      candidate = NULL;
    if (candidate == NULL) break;
    const size_t d = sn_edit_distance(name, candidate, best);
    if (d >= best) continue;
    best = d;
    nearest = candidate;
  }
  return sn_fail(err, SN_EARG, "the %s front end has no option '%s'%s%s%s",
                 c->dialect == SN_FEAT_SPHINX ? "sphinx" : "kaldi", name,
                 nearest != NULL ? "; did you mean '" : "",
                 nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

/* "kind" in the sphinx dialect, which has two of the four. */
static sn_status set_sphinx_kind(sn_feat_config *c, const char *value,
                                 sn_err *err) {
  if (strcmp(value, "mfcc") == 0)
    return sn_feat_config_set(c, "logspec", "no", err);
  if (strcmp(value, "fbank") == 0)
    return sn_feat_config_set(c, "logspec", "yes", err);
  return sn_fail(err, SN_EARG,
                 "the sphinx front end has no kind '%s': it computes mfcc or "
                 "fbank; the kaldi front end has plp and pitch",
                 value);
}

sn_status sn_feat_config_set(sn_feat_config *c, const char *name,
                             const char *value, sn_err *err) {
  if (c->dialect == SN_FEAT_SPHINX && strcmp(name, "kind") == 0)
    return set_sphinx_kind(c, value, err);
  all_opts changed = c->opts;
  void *of;
  size_t i;
  const sn_opt *o = find(c->dialect, name, &changed, &of, &i);
  if (o == NULL) {
    if (c->dialect == SN_FEAT_SPHINX && sni_sphinx_is_foreign(name))
      return set_foreign(c, name, value, err);
    return fail_unknown(c, name, err);
  }
  const char *kept = sn_arena_strndup(&c->texts, value, strlen(value));
  if (kept == NULL) return sn_fail_nomem(err, "front-end settings");
  const sn_opt one[] = {*o, SN_OPT_END};
  SN_TRY(sn_opt_set(one, of, o->name, kept, err));
  const char *text;
  SN_TRY(value_text(&c->texts, o, of, &text, err));
  c->values.data[i].text = text;
  c->opts = changed;
  return SN_OK;
}

const char *sn_feat_config_get(const sn_feat_config *c, const char *name) {
  all_opts unused;
  void *of;
  size_t i;
  if (find(c->dialect, name, &unused, &of, &i) != NULL)
    return c->values.data[i].text;
  for (i = 0; i < c->foreign.n; i++)
    if (strcmp(c->foreign.data[i].name, name) == 0)
      return c->foreign.data[i].text;
  return NULL;
}

const char *sn_feat_config_at(const sn_feat_config *c, size_t i,
                              const char **value) {
  for (size_t k = 0; k < c->values.n; k++) {
    const setting *v = &c->values.data[k];
    if (strcmp(v->text, v->deflt) == 0) continue;
    if (i == 0) {
      *value = v->text;
      return v->name;
    }
    i--;
  }
  if (i >= c->foreign.n) return NULL;
  *value = c->foreign.data[i].text;
  return c->foreign.data[i].name;
}

sn_feat_dialect sn_feat_config_dialect(const sn_feat_config *c) {
  return c->dialect;
}
bool sn_feat_config_wants_speaker(const sn_feat_config *c) {
  const char *const cmn = sn_feat_config_get(c, "cmn");
  return c->dialect == SN_FEAT_KALDI && cmn != NULL &&
         strcmp(cmn, "speaker") == 0;
}
const struct sni_sphinx_opts *sni_feat_config_sphinx(const sn_feat_config *c) {
  SN_ASSERT(c->dialect == SN_FEAT_SPHINX);
  return &c->opts.sphinx;
}
const struct sni_kaldi_opts *sni_feat_config_kaldi(const sn_feat_config *c) {
  SN_ASSERT(c->dialect == SN_FEAT_KALDI);
  return &c->opts.kaldi;
}
const sni_post_opts *sni_feat_config_post(const sn_feat_config *c) {
  SN_ASSERT(c->dialect == SN_FEAT_KALDI);
  return &c->opts.post;
}

sn_status sn_feat_help(sn_feat_dialect dialect, sn_str *out, sn_err *err) {
  all_opts unused;
  void *of;
  const sn_opt *tab;
  for (size_t t = 0; (tab = table_at(dialect, t, &unused, &of)) != NULL; t++)
    SN_TRY(sn_opt_help(tab, out, err));
  return SN_OK;
}

/* ---- Files ---- */

/* The next word of *rest into *word: separated by blanks, or within ' or ".
 * '#' at the start of a word begins a comment. false at the end of the line. */
static sn_status next_word(const sn_reader *r, sn_span *rest, sn_str *word,
                           bool *found, sn_err *err) {
  sn_str_reset(word);
  *found = false;
  while (rest->n > 0 && strchr(" \t\r", rest->p[0]) != NULL) {
    rest->p++;
    rest->n--;
  }
  if (rest->n == 0 || rest->p[0] == '#') return SN_OK;
  *found = true;
  const char quote =
      rest->p[0] == '"' || rest->p[0] == '\'' ? rest->p[0] : '\0';
  size_t n = quote != '\0' ? 1 : 0;
  const size_t start = n;
  for (; n < rest->n; n++)
    if (quote != '\0' ? rest->p[n] == quote
                      : strchr(" \t\r", rest->p[n]) != NULL)
      break;
  if (quote != '\0' && n == rest->n)
    return sn_reader_fail(r, err, "the quote %c is not closed", quote);
  SN_TRY(sn_str_add(word, rest->p + start, n - start, err));
  const size_t used = n + (quote != '\0' ? 1 : 0);
  rest->p += used;
  rest->n -= used;
  return SN_OK;
}

/* Sets a pair from a file; a failure gets the place. */
static sn_status set_from_file(sn_feat_config *c, const sn_reader *r,
                               const char *name, const char *value,
                               sn_err *err) {
  sn_err inner = {0};
  const sn_status s = sn_feat_config_set(c, name, value, &inner);
  if (s == SN_OK || s == SN_ENOMEM) {
    if (s != SN_OK) return sn_fail(err, s, "%s", inner.msg);
    return SN_OK;
  }
  return sn_reader_fail(r, err, "%s", inner.msg);
}

/* "-name value" pairs, separated by any blanks, as cmd_ln_parse_file_r. */
static sn_status read_sphinx(sn_feat_config *c, sn_reader *r, sn_str *name,
                             sn_str *word, sn_err *err) {
  sn_span line;
  bool more = true, found, have_name = false;
  for (;;) {
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) break;
    if (memchr(line.p, '\0', line.n) != NULL)
      return sn_reader_fail(r, err, "a NUL byte: is this a text file?");
    for (;;) {
      SN_TRY(next_word(r, &line, word, &found, err));
      if (!found) break;
      const char *text = sn_str_get(word);
      if (have_name) {
        SN_TRY(set_from_file(c, r, sn_str_get(name), text, err));
      } else {
        if (text[0] != '-' || text[1] == '\0')
          return sn_reader_fail(
              r, err, "expected '-option value', found '%.60s'", text);
        sn_str_reset(name);
        SN_TRY(sn_str_adds(name, text + 1, err));
      }
      have_name = !have_name;
    }
  }
  if (have_name)
    return sn_reader_fail(r, err, "the option '%.60s' has no value",
                          sn_str_get(name));
  return SN_OK;
}

/* "--name=value" lines, as Kaldi's --config files. */
static sn_status read_kaldi(sn_feat_config *c, sn_reader *r, sn_str *name,
                            sn_str *word, sn_err *err) {
  sn_span line;
  bool more = true;
  for (;;) {
    SN_TRY(sn_read_line(r, &line, &more, err));
    if (!more) return SN_OK;
    const char *comment = memchr(line.p, '#', line.n);
    if (comment != NULL) line.n = (size_t)(comment - line.p);
    line = sn_span_trim(line);
    if (line.n == 0) continue;
    const char *eq = memchr(line.p, '=', line.n);
    if (line.n < 3 || line.p[0] != '-' || line.p[1] != '-' || eq == NULL)
      return sn_reader_fail(r, err, "expected '--option=value', found '%.*s'",
                            line.n > 60 ? 60 : (int)line.n, line.p);
    sn_str_reset(name);
    sn_str_reset(word);
    SN_TRY(sn_str_add(name, line.p + 2, (size_t)(eq - line.p) - 2, err));
    SN_TRY(sn_str_add(word, eq + 1, (size_t)(line.p + line.n - eq) - 1, err));
    SN_TRY(set_from_file(c, r, sn_str_get(name), sn_str_get(word), err));
  }
}

sn_status sni_feat_config_read(sn_feat_config *c, sn_reader *r, sn_err *err) {
  sn_str name = {0}, word = {0};
  const sn_status s = c->dialect == SN_FEAT_SPHINX
                          ? read_sphinx(c, r, &name, &word, err)
                          : read_kaldi(c, r, &name, &word, err);
  sn_str_clear(&name);
  sn_str_clear(&word);
  return s;
}

sn_status sn_feat_config_read_params(sn_feat_config *c, const char *path,
                                     sn_err *err) {
  sn_reader *r;
  SN_TRY(sn_reader_open(path, &r, err));
  const sn_status s = sni_feat_config_read(c, r, err);
  sn_reader_destroy(r);
  return s;
}
