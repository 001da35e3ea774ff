/* Python objects of JSON without white space: see json_objects.c. */

#ifndef EVGIT_JSON_OBJECTS_H
#define EVGIT_JSON_OBJECTS_H

#include "native.h"

#include "json_text.h"

/* Strings made of short plain texts lately, by their bytes: names and types come again and again. */
typedef struct {
    PyObject *string;
    uint32_t next;  /* the place of the name that came behind this one the last time, */
    uint32_t first; /* and of the first one in its value */
} KeptString;

typedef struct {
    size_t longest; /* bytes; of a longer text no string is kept */
    int bits;       /* there are 2^bits places */
    KeptString *places;
} Strings;

/* What is kept while objects are made of JSON. */
typedef struct {
    Strings names; /* of members */
    Strings values;
} JsonStrings;

int evgit_strings_init(Strings *kept, int bits, size_t longest);
void evgit_strings_free(Strings *kept);

/* A string. As those of json_text.h, and with a Python error set only where Python itself failed.
 * `kept`: where it may be kept, or NULL. */
PyObject *evgit_made_str(Json *json, Strings *kept);

/* The value here, at most `depth` containers deep. `first`: where the first name in it was kept the last
 * time, if it is an object; for the next time as well. */
PyObject *evgit_made_value(Json *json, JsonStrings *kept, uint32_t *first, int depth);

/* Passes over the value here. */
int evgit_skip_value(Json *json, int depth);

#endif
