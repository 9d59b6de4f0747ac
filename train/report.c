/* SPDX-License-Identifier: Apache-2.0 */
/* train.json and tree.json read back (jansson); the stages of a folder. */
#include "train/report.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "am/mixtures.h"
#include "base/arr.h"
#include "base/io.h"
#include "base/mem.h"

/* ---- Values of JSON ---- */

static sn_status parse(const char *json, size_t n, const char *name,
                       json_t **out, sn_err *err) {
  json_error_t e;
  *out = json_loadb(json, n, JSON_REJECT_DUPLICATES, &e);
  if (*out == NULL)
    return sn_fail(err, SN_EFORMAT,
                   "%s:%d: column %d: %s: train the stage "
                   "again",
                   name, e.line, e.column, e.text);
  if (json_is_object(*out)) return SN_OK;
  json_decref(*out);
  *out = NULL;
  return sn_fail(err, SN_EFORMAT, "%s: an object was expected", name);
}

static sn_status whole(const json_t *o, const char *key, const char *name,
                       int64_t max, int64_t *out, sn_err *err) {
  const json_t *const v = json_object_get(o, key);
  const double x = json_is_number(v) ? json_number_value(v) : -1;
  if (!(x >= 0 && x <= (double)max))
    return sn_fail(err, SN_EFORMAT,
                   "%s: \"%s\": a number from 0 to %lld was expected", name,
                   key, (long long)max);
  *out = (int64_t)x;
  return SN_OK;
}

static sn_status real(const json_t *o, const char *key, const char *name,
                      double *out, sn_err *err) {
  const json_t *const v = json_object_get(o, key);
  if (!json_is_number(v))
    return sn_fail(err, SN_EFORMAT, "%s: \"%s\": a number was expected", name,
                   key);
  *out = json_number_value(v);
  return SN_OK;
}

static sn_status text(const json_t *o, const char *key, const char *name,
                      char **out, sn_err *err) {
  const char *const v = json_string_value(json_object_get(o, key));
  if (v == NULL)
    return sn_fail(err, SN_EFORMAT, "%s: \"%s\": text was expected", name, key);
  *out = sn_strdup(v);
  return *out == NULL ? sn_fail_nomem(err, "report") : SN_OK;
}

static sn_status list(const json_t *o, const char *key, const char *name,
                      json_t **out, sn_err *err) {
  *out = json_object_get(o, key);
  return json_is_array(*out)
             ? SN_OK
             : sn_fail(err, SN_EFORMAT, "%s: \"%s\": a list was expected", name,
                       key);
}

/* ---- train.json ---- */

enum { MAX_ITEMS = 100000000 };

static sn_status read_pass(const json_t *o, const char *name, sn_train_pass *p,
                           sn_err *err) {
  SN_TRY(whole(o, "pass", name, MAX_ITEMS, &p->pass, err));
  SN_TRY(real(o, "logp_per_frame", name, &p->logp, err));
  SN_TRY(whole(o, "failed", name, MAX_ITEMS, &p->failed, err));
  SN_TRY(whole(o, "gaussians", name, MAX_ITEMS, &p->gaussians, err));
  SN_TRY(real(o, "cpu_s", name, &p->cpu_s, err));
  p->aligned = json_is_true(json_object_get(o, "aligned"));
  return SN_OK;
}

static sn_status read_lists(const json_t *o, const char *name,
                            sn_train_log *out, sn_err *err) {
  json_t *v = NULL;
  SN_TRY(list(o, "left_out", name, &v, err));
  out->left_out = (int64_t)json_array_size(v);
  SN_TRY(list(o, "failed", name, &v, err));
  out->failed = (int64_t)json_array_size(v);
  SN_TRY(list(o, "occupancy", name, &v, err));
  if ((int64_t)json_array_size(v) != out->pdfs)
    return sn_fail(err, SN_EFORMAT,
                   "%s: \"occupancy\" has %zu values for %lld pdfs", name,
                   json_array_size(v), (long long)out->pdfs);
  out->occupancy = sn_calloc((size_t)out->pdfs + 1, sizeof *out->occupancy);
  if (out->occupancy == NULL) return sn_fail_nomem(err, "report");
  for (size_t i = 0; i < json_array_size(v); i++)
    out->occupancy[i] = json_number_value(json_array_get(v, i));
  SN_TRY(list(o, "passes", name, &v, err));
  const size_t n = json_array_size(v);
  if (n == 0) return sn_fail(err, SN_EFORMAT, "%s: no passes", name);
  out->passes = sn_calloc(n, sizeof *out->passes);
  if (out->passes == NULL) return sn_fail_nomem(err, "report");
  out->n_passes = n;
  for (size_t i = 0; i < n; i++)
    SN_TRY(read_pass(json_array_get(v, i), name, &out->passes[i], err));
  return SN_OK;
}

static sn_status read_log(const json_t *o, const char *name, sn_train_log *out,
                          sn_err *err) {
  int64_t format = 0;
  SN_TRY(whole(o, "format", name, MAX_ITEMS, &format, err));
  if (format != 1)
    return sn_fail(err, SN_EFORMAT,
                   "%s: format %lld, this program reads format 1", name,
                   (long long)format);
  SN_TRY(text(o, "stage", name, &out->stage, err));
  SN_TRY(whole(o, "utterances", name, MAX_ITEMS, &out->utterances, err));
  SN_TRY(whole(o, "frames", name, INT64_C(1) << 50, &out->frames, err));
  SN_TRY(whole(o, "phones", name, MAX_ITEMS, &out->phones, err));
  SN_TRY(whole(o, "pdfs", name, MAX_ITEMS, &out->pdfs, err));
  SN_TRY(whole(o, "gaussians", name, MAX_ITEMS, &out->gaussians, err));
  return read_lists(o, name, out, err);
}

sn_status sn_train_log_read(const char *json, size_t n, const char *name,
                            sn_train_log *out, sn_err *err) {
  json_t *o = NULL;
  memset(out, 0, sizeof *out);
  SN_TRY(parse(json, n, name, &o, err));
  const sn_status s = read_log(o, name, out, err);
  json_decref(o);
  if (s != SN_OK) sn_train_log_clear(out);
  return s;
}

void sn_train_log_clear(sn_train_log *l) {
  sn_free(l->stage);
  sn_free(l->occupancy);
  sn_free(l->passes);
  memset(l, 0, sizeof *l);
}

/* ---- tree.json ---- */

static sn_status read_set(const json_t *list_, const char *name,
                          sn_report_node *to, sn_err *err) {
  sn_str s = {0};
  sn_status st = SN_OK;
  to->n_set = (int32_t)json_array_size(list_);
  for (size_t i = 0; st == SN_OK && i < json_array_size(list_); i++) {
    const char *const v = json_string_value(json_array_get(list_, i));
    st = v == NULL
             ? sn_fail(err, SN_EFORMAT,
                       "%s: a question's answers: text was expected", name)
             : sn_str_addf(&s, err, "%s%s", i > 0 ? " " : "", v);
  }
  if (st == SN_OK) {
    to->set = sn_strdup(sn_str_get(&s));
    if (to->set == NULL) st = sn_fail_nomem(err, "report");
  }
  sn_str_clear(&s);
  return st;
}

static sn_status read_node(const json_t *o, const char *name, size_t at,
                           sn_report_tree *t, uint8_t *has_parent,
                           sn_err *err) {
  static const char *const asks[] = {"left", "right", "position", "state"};
  sn_report_node *const to = &t->nodes[at];
  const int64_t last = (int64_t)t->n_nodes - 1;
  int64_t yes = -1, no = -1, pdf = -1;
  to->yes = to->no = to->pdf = -1;
  for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
    const json_t *const set = json_object_get(o, asks[i]);
    if (set == NULL) continue;
    to->asks = sn_strdup(asks[i]);
    if (to->asks == NULL) return sn_fail_nomem(err, "report");
    SN_TRY(read_set(set, name, to, err));
    SN_TRY(whole(o, "yes", name, last, &yes, err));
    SN_TRY(whole(o, "no", name, last, &no, err));
    if (yes <= (int64_t)at || no <= (int64_t)at || yes == no ||
        has_parent[yes] != 0 || has_parent[no] != 0)
      return sn_fail(err, SN_EFORMAT,
                     "%s: node %zu leads to %lld and %lld: later nodes, each "
                     "of one parent, were expected",
                     name, at, (long long)yes, (long long)no);
    has_parent[yes] = has_parent[no] = 1;
    to->yes = (int32_t)yes;
    to->no = (int32_t)no;
    return SN_OK;
  }
  SN_TRY(whole(o, "pdf", name, MAX_ITEMS, &pdf, err));
  to->pdf = (int32_t)pdf;
  return SN_OK;
}

static sn_status read_root(const json_t *o, const char *name,
                           const uint8_t *has_parent, sn_report_tree *t,
                           size_t at, sn_err *err) {
  sn_report_root *const to = &t->roots[at];
  int64_t node = 0, from = 0, n = 0;
  SN_TRY(text(o, "phone", name, &to->phone, err));
  SN_TRY(whole(o, "node", name, (int64_t)t->n_nodes - 1, &node, err));
  SN_TRY(whole(o, "state", name, 1000, &from, err));
  SN_TRY(whole(o, "states", name, 1000, &n, err));
  if (has_parent[node] != 0)
    return sn_fail(err, SN_EFORMAT, "%s: node %lld of %s is no root", name,
                   (long long)node, to->phone);
  to->node = (int32_t)node;
  to->first_state = (int32_t)from;
  to->n_states = (int32_t)n;
  return SN_OK;
}

static sn_status read_tree(const json_t *o, const char *name, sn_report_tree *t,
                           sn_err *err) {
  json_t *nodes = NULL, *roots = NULL;
  SN_TRY(list(o, "nodes", name, &nodes, err));
  SN_TRY(list(o, "roots", name, &roots, err));
  const size_t n = json_array_size(nodes), r = json_array_size(roots);
  if (n == 0 || r == 0 || n > MAX_ITEMS || r > MAX_ITEMS)
    return sn_fail(err, SN_EFORMAT, "%s: %zu nodes, %zu roots", name, n, r);
  uint8_t *const has_parent = sn_calloc(n, 1);
  t->nodes = sn_calloc(n, sizeof *t->nodes);
  t->roots = sn_calloc(r, sizeof *t->roots);
  sn_status s = SN_OK;
  if (has_parent == NULL || t->nodes == NULL || t->roots == NULL) {
    s = sn_fail_nomem(err, "report");
  } else {
    t->n_nodes = n;
    t->n_roots = r;
  }
  for (size_t i = 0; s == SN_OK && i < n; i++)
    s = read_node(json_array_get(nodes, i), name, i, t, has_parent, err);
  for (size_t i = 0; s == SN_OK && i < r; i++)
    s = read_root(json_array_get(roots, i), name, has_parent, t, i, err);
  sn_free(has_parent);
  return s;
}

sn_status sn_report_tree_read(const char *json, size_t n, const char *name,
                              sn_report_tree *out, sn_err *err) {
  json_t *o = NULL;
  memset(out, 0, sizeof *out);
  SN_TRY(parse(json, n, name, &o, err));
  const sn_status s = read_tree(o, name, out, err);
  json_decref(o);
  if (s != SN_OK) sn_report_tree_clear(out);
  return s;
}

void sn_report_tree_clear(sn_report_tree *t) {
  for (size_t i = 0; i < t->n_nodes; i++) {
    sn_free(t->nodes[i].asks);
    sn_free(t->nodes[i].set);
  }
  for (size_t i = 0; i < t->n_roots; i++) sn_free(t->roots[i].phone);
  sn_free(t->nodes);
  sn_free(t->roots);
  memset(t, 0, sizeof *t);
}

/* ---- The stages of a folder ---- */

static sn_status path_of(const char *exp, const char *stage, const char *file,
                         char **out, sn_err *err) {
  char *const dir = sn_path_join(exp, stage);
  *out = dir == NULL    ? NULL
         : file == NULL ? sn_strdup(dir)
                        : sn_path_join(dir, file);
  sn_free(dir);
  return *out == NULL ? sn_fail_nomem(err, "report") : SN_OK;
}

static sn_status has(const char *exp, const char *stage, const char *file,
                     bool *there, sn_err *err) {
  char *path = NULL;
  SN_TRY(path_of(exp, stage, file, &path, err));
  *there = sn_file_exists(path);
  sn_free(path);
  return SN_OK;
}

static int order_of(const char *stage) {
  static const char *const known[] = {"mono", "tri", "lda", "sat"};
  const int n = (int)(sizeof known / sizeof *known);
  for (int i = 0; i < n; i++)
    if (strcmp(stage, known[i]) == 0) return i;
  return n;
}

static int by_order(const void *a, const void *b) {
  const char *const x = *(char *const *)a, *const y = *(char *const *)b;
  const int d = order_of(x) - order_of(y);
  return d != 0 ? d : strcmp(x, y);
}

typedef SN_ARR(char *) names;

static sn_status add_name(names *to, const char *name, sn_err *err) {
  SN_TRY(SN_ARR_RESERVE(to, to->n + 1, err));
  char *const copy = sn_strdup(name);
  if (copy == NULL) return sn_fail_nomem(err, "report");
  to->data[to->n++] = copy;
  return SN_OK;
}

static sn_status find_stages(const char *exp, names *to, sn_err *err) {
  DIR *const dir = opendir(exp);
  sn_status s = SN_OK;
  if (dir == NULL)
    return sn_fail(err, SN_EIO, "'%s': %s", exp, strerror(errno));
  for (const struct dirent *e; s == SN_OK && (e = readdir(dir)) != NULL;) {
    bool there = false;
    if (e->d_name[0] == '.') continue;
    s = has(exp, e->d_name, "train.json", &there, err);
    if (s != SN_OK || !there) continue;
    s = add_name(to, e->d_name, err);
  }
  closedir(dir);
  if (s == SN_OK && to->n == 0)
    s = sn_fail(err, SN_EIO,
                "'%s' has no stage with a train.json: give the folder that "
                "'senone train' wrote",
                exp);
  if (s == SN_OK) qsort(to->data, to->n, sizeof *to->data, by_order);
  return s;
}

static sn_status add_stage(const char *exp, const char *stage,
                           sn_train_report *r, sn_err *err) {
  char *path = NULL, *json = NULL;
  size_t n = 0;
  bool tree = false;
  sn_status s = path_of(exp, stage, "train.json", &path, err);
  if (s == SN_OK) s = sn_file_read(path, &json, &n, err);
  if (s == SN_OK) s = sn_train_log_read(json, n, path, &r->stages[r->n], err);
  if (s == SN_OK) {
    r->n++;
    s = has(exp, stage, "tree.json", &tree, err);
  }
  if (s == SN_OK && tree) {
    sn_free(r->tree_stage);
    r->tree_stage = sn_strdup(stage);
    if (r->tree_stage == NULL) s = sn_fail_nomem(err, "report");
  }
  sn_free(path);
  sn_free(json);
  return s;
}

sn_status sn_train_report_load(const char *exp, const char *stage,
                               sn_train_report *out, sn_err *err) {
  names found = {0};
  memset(out, 0, sizeof *out);
  sn_status s = SN_OK;
  if (stage == NULL) {
    s = find_stages(exp, &found, err);
  } else {
    s = add_name(&found, stage, err);
  }
  if (s == SN_OK) {
    out->stages = sn_calloc(found.n, sizeof *out->stages);
    if (out->stages == NULL) s = sn_fail_nomem(err, "report");
  }
  for (size_t i = 0; s == SN_OK && i < found.n; i++)
    s = add_stage(exp, found.data[i], out, err);
  for (size_t i = 0; i < found.n; i++) sn_free(found.data[i]);
  SN_ARR_FREE(&found);
  if (s != SN_OK) sn_train_report_clear(out);
  return s;
}

void sn_train_report_clear(sn_train_report *r) {
  for (size_t i = 0; i < r->n; i++) sn_train_log_clear(&r->stages[i]);
  sn_free(r->stages);
  sn_free(r->tree_stage);
  memset(r, 0, sizeof *r);
}

/* Gaussians of each pdf, from the model. */
static sn_status count_gauss(const char *dir, const sn_train_log *log,
                             int32_t **out, sn_err *err) {
  sn_am *am = NULL;
  sn_mixtures mix = {0};
  sn_status s = sn_am_load(dir, NULL, &am, err);
  if (s == SN_OK) s = sn_am_mixtures(am, &mix, err);
  if (s == SN_OK && (int64_t)mix.n_pdfs != log->pdfs)
    s = sn_fail(err, SN_EMISMATCH, "'%s' has %zu pdfs, its train.json %lld",
                dir, mix.n_pdfs, (long long)log->pdfs);
  if (s == SN_OK) {
    *out = sn_calloc(mix.n_pdfs + 1, sizeof **out);
    if (*out == NULL) s = sn_fail_nomem(err, "report");
  }
  for (size_t i = 0; s == SN_OK && i < mix.n_pdfs; i++)
    (*out)[i] = mix.first[i + 1] - mix.first[i];
  sn_mixtures_clear(&mix);
  sn_am_destroy(am);
  return s;
}

static const sn_train_log *log_of(const sn_train_report *r) {
  const sn_train_log *found = &r->stages[r->n - 1];
  for (size_t i = 0; i < r->n; i++)
    if (strcmp(r->stages[i].stage, r->tree_stage) == 0) found = &r->stages[i];
  return found;
}

sn_status sn_train_report_tree(const sn_train_report *r, const char *exp,
                               const char *phone, sn_str *out, char **drawn,
                               sn_err *err) {
  char *path = NULL, *dir = NULL, *json = NULL;
  int32_t *gauss = NULL;
  size_t n = 0;
  sn_report_tree tree = {0};
  *drawn = NULL;
  if (r->tree_stage == NULL)
    return sn_fail(err, SN_EIO,
                   "'%s' has no stage with a tree.json: monophones have no "
                   "trees; 'senone train tri' makes them",
                   exp);
  const sn_train_log *const log = log_of(r);
  sn_status s = path_of(exp, r->tree_stage, "tree.json", &path, err);
  if (s == SN_OK) s = path_of(exp, r->tree_stage, NULL, &dir, err);
  if (s == SN_OK) s = sn_file_read(path, &json, &n, err);
  if (s == SN_OK) s = sn_report_tree_read(json, n, path, &tree, err);
  if (s == SN_OK) s = count_gauss(dir, log, &gauss, err);
  if (s == SN_OK) {
    *drawn = sn_strdup(phone != NULL ? phone : sn_report_tree_largest(&tree));
    if (*drawn == NULL) s = sn_fail_nomem(err, "report");
  }
  if (s == SN_OK) s = sn_report_tree_svg(&tree, *drawn, log, gauss, out, err);
  sn_report_tree_clear(&tree);
  sn_free(gauss);
  sn_free(json);
  sn_free(path);
  sn_free(dir);
  return s;
}
