/* Stored lines of events as objects of a Python class: what msgspec makes of them.
 *
 * The members of an event stand in a known order, so nothing has to be looked up; names come again
 * and again, so their strings are kept; an object is allocated by its class and filled in where the
 * class's own descriptors say that its members are. A line that is out of the ordinary in any way is
 * given to a function of Python's. */

#include "json_objects.h"

#include <structmember.h>

#define DEPTH 32 /* containers within `data` or `meta` */
#define MOST_SLOTS 16
#define NAME_BITS 10
#define LONGEST_NAME 48
#define VALUE_BITS 10
#define LONGEST_VALUE 12
#define STREAM_BITS 14
#define LONGEST_STREAM 64
#define MOST_VERSION_DIGITS 6

static const char plan_name[] = "evgit.formats.native.event_objects_plan";

/* The members of an event that objects can be filled with, numbered as in event_objects.py. */
enum { DATA, KEY, META, ORIGIN, STREAM, TIME, TYPE, VERSION, MEMBERS };

typedef struct {
    Py_ssize_t offset;   /* of a member of the object */
    int source;          /* the member of an event that it is, or -1 */
    int is_new_dict;     /* without that, it is a new dict, */
    PyObject *otherwise; /* or this; NULL where it can't be without */
} Slot;

typedef struct {
    PyTypeObject *form;
    Slot slots[MOST_SLOTS];
    size_t slot_count;
    char is_wanted[MEMBERS];
    int data_is_object; /* is data that is no object none of ours? */
    JsonStrings kept;
    uint32_t first_names[MEMBERS]; /* where they are kept: a guess for the next event */
    Strings streams;
} Plan;

/* ------------------------------------------------------------------ plans */

static void
free_plan(Plan *plan)
{
    for (size_t place = 0; place < plan->slot_count; place++)
        Py_XDECREF(plan->slots[place].otherwise);
    evgit_strings_free(&plan->kept.names);
    evgit_strings_free(&plan->kept.values);
    evgit_strings_free(&plan->streams);
    Py_XDECREF(plan->form);
    PyMem_Free(plan);
}

static void
free_capsule(PyObject *capsule)
{
    free_plan(PyCapsule_GetPointer(capsule, plan_name));
}

/* Where an object of a class has a member; -1 if that is not an ordinary slot. */
static Py_ssize_t
slot_offset(PyTypeObject *form, PyObject *name)
{
    PyObject *found = PyObject_GetAttr((PyObject *)form, name);
    Py_ssize_t offset = -1;

    if (found == NULL) {
        PyErr_Clear();
        return -1;
    }
    if (Py_IS_TYPE(found, &PyMemberDescr_Type)) {
        PyMemberDescrObject *member = (PyMemberDescrObject *)found;
        if (member->d_member->type == T_OBJECT_EX && PyType_IsSubtype(form, PyDescr_TYPE(member)))
            offset = member->d_member->offset;
    }
    Py_DECREF(found);
    if (offset < (Py_ssize_t)sizeof(PyObject)
        || offset > form->tp_basicsize - (Py_ssize_t)sizeof(PyObject *))
        return -1;
    return offset;
}

static int
add_slot(Plan *plan, PyObject *described)
{
    PyObject *name, *otherwise;
    Slot *slot = &plan->slots[plan->slot_count];

    if (!PyArg_ParseTuple(described, "OiO", &name, &slot->source, &otherwise))
        return 0;
    slot->offset = slot_offset(plan->form, name);
    if (slot->offset < 0 || slot->source < -1 || slot->source >= MEMBERS)
        return 0;
    if (slot->source >= 0)
        plan->is_wanted[slot->source] = 1;
    slot->is_new_dict = otherwise == (PyObject *)&PyDict_Type;
    slot->otherwise = otherwise == Py_Ellipsis || slot->is_new_dict ? NULL : Py_NewRef(otherwise);
    plan->slot_count++;
    return 1;
}

/* Do the slots, each of which is there once, leave nothing of an object that only its class could begin? */
static int
fills_all(const Plan *plan)
{
    for (size_t place = 0; place < plan->slot_count; place++)
        for (size_t before = 0; before < place; before++)
            if (plan->slots[before].offset == plan->slots[place].offset)
                return 0;
    return (size_t)plan->form->tp_basicsize
           == sizeof(PyObject) + plan->slot_count * sizeof(PyObject *);
}

PyObject *
evgit_py_event_objects_plan(PyObject *module, PyObject *arguments)
{
    PyObject *form, *slots, *capsule;
    Plan *plan;
    int data_is_object;

    if (!PyArg_ParseTuple(arguments, "O!O!p", &PyType_Type, &form, &PyTuple_Type, &slots,
                          &data_is_object))
        return NULL;
    plan = PyMem_Calloc(1, sizeof(Plan));
    if (plan == NULL)
        return PyErr_NoMemory();
    plan->form = (PyTypeObject *)Py_NewRef(form);
    plan->data_is_object = data_is_object;
    if (!evgit_strings_init(&plan->kept.names, NAME_BITS, LONGEST_NAME)
        || !evgit_strings_init(&plan->kept.values, VALUE_BITS, LONGEST_VALUE)
        || !evgit_strings_init(&plan->streams, STREAM_BITS, LONGEST_STREAM)) {
        free_plan(plan);
        return PyErr_NoMemory();
    }
    if (PyTuple_GET_SIZE(slots) > MOST_SLOTS || plan->form->tp_itemsize != 0)
        goto unfit;
    for (Py_ssize_t place = 0; place < PyTuple_GET_SIZE(slots); place++)
        if (!add_slot(plan, PyTuple_GET_ITEM(slots, place)))
            goto unfit;
    if (!fills_all(plan))
        goto unfit;
    capsule = PyCapsule_New(plan, plan_name, free_capsule);
    if (capsule == NULL)
        free_plan(plan);
    return capsule;
unfit:
    free_plan(plan);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* ------------------------------------------------------------------ lines */

#define WORD(json, text) json_word(json, text, sizeof(text) - 1)

/* Each of these reads the value of a member into `found`, or passes over it if it is not wanted. */

static int
read_str(Plan *plan, Json *json, PyObject **found, int member, Strings *kept)
{
    JsonString passed;

    if (!plan->is_wanted[member])
        return json_string(json, &passed);
    found[member] = evgit_made_str(json, kept);
    return found[member] != NULL;
}

static int
read_value(Plan *plan, Json *json, PyObject **found, int member, int is_object)
{
    if (is_object && !(json->at < json->end && *json->at == '{'))
        return 0;
    if (!plan->is_wanted[member])
        return evgit_skip_value(json, DEPTH);
    found[member] = evgit_made_value(json, &plan->kept, &plan->first_names[member], DEPTH);
    return found[member] != NULL;
}

static int
read_version(Plan *plan, Json *json, PyObject **found)
{
    const unsigned char *start = json->at;
    long version = 0;

    while (json->at < json->end && *json->at >= '0' && *json->at <= '9'
           && json->at - start < MOST_VERSION_DIGITS)
        version = version * 10 + (*json->at++ - '0');
    if (json->at == start || *start == '0')
        return 0;
    if (!plan->is_wanted[VERSION])
        return 1;
    found[VERSION] = PyLong_FromLong(version);
    return found[VERSION] != NULL;
}

/* The members of the event here, if it is one as most are. */
static int
read_event(Plan *plan, Json *json, PyObject **found)
{
    if (!WORD(json, "{\"data\":") || !read_value(plan, json, found, DATA, plan->data_is_object))
        return 0;
    if (WORD(json, ",\"key\":") && !read_str(plan, json, found, KEY, NULL))
        return 0;
    if (!WORD(json, ",\"kind\":\"event\""))
        return 0;
    if (WORD(json, ",\"meta\":") && !read_value(plan, json, found, META, 1))
        return 0;
    if (WORD(json, ",\"origin\":") && !read_str(plan, json, found, ORIGIN, &plan->kept.names))
        return 0;
    return WORD(json, ",\"stream\":") && read_str(plan, json, found, STREAM, &plan->streams)
           && WORD(json, ",\"time\":") && read_str(plan, json, found, TIME, NULL)
           && WORD(json, ",\"type\":") && read_str(plan, json, found, TYPE, &plan->kept.names)
           && WORD(json, ",\"version\":") && read_version(plan, json, found)
           && json_byte(json, '}') && (json->at == json->end || json_byte(json, '\n'));
}

/* An object with these members. NULL without an error: it can't be without one that is missing. */
static PyObject *
made_object(Plan *plan, PyObject *const *found)
{
    PyObject *made = plan->form->tp_alloc(plan->form, 0), *value;
    int holds_containers = 0;

    if (made == NULL)
        return NULL;
    for (size_t place = 0; place < plan->slot_count; place++) {
        const Slot *slot = &plan->slots[place];
        if (slot->source >= 0 && found[slot->source] != NULL)
            value = Py_NewRef(found[slot->source]);
        else
            value = slot->is_new_dict ? PyDict_New() : Py_XNewRef(slot->otherwise);
        if (value == NULL) {
            Py_DECREF(made);
            return NULL;
        }
        holds_containers |= PyType_IS_GC(Py_TYPE(value));
        *(PyObject **)((char *)made + slot->offset) = value;
    }
    if (!holds_containers && PyType_IS_GC(plan->form)) /* as msgspec does */
        PyObject_GC_UnTrack(made);
    return made;
}

/* The object of the line that begins here; moves behind it. */
static PyObject *
line_object(Plan *plan, Json *json, PyObject *odd)
{
    PyObject *found[MEMBERS] = {NULL}, *made = NULL, *line;
    const unsigned char *start = json->at, *end;

    if (read_event(plan, json, found))
        made = made_object(plan, found);
    for (int member = 0; member < MEMBERS; member++)
        Py_XDECREF(found[member]);
    if (made != NULL || PyErr_Occurred())
        return made;
    end = memchr(start, '\n', (size_t)(json->end - start));
    if (end == NULL)
        end = json->end;
    json->at = end < json->end ? end + 1 : end;
    line = PyBytes_FromStringAndSize((const char *)start, end - start);
    if (line == NULL)
        return NULL;
    made = PyObject_CallOneArg(odd, line);
    Py_DECREF(line);
    return made;
}

PyObject *
evgit_py_event_objects(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    Py_buffer text;
    PyObject *objects, *made;
    Plan *plan;
    Json json;
    int failed = 0;

    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "event_objects takes a plan, a text and a function");
        return NULL;
    }
    plan = PyCapsule_GetPointer(arguments[0], plan_name);
    if (plan == NULL || PyObject_GetBuffer(arguments[1], &text, PyBUF_SIMPLE) < 0)
        return NULL;
    json.at = text.buf;
    json.end = json.at + text.len;
    objects = PyList_New(0);
    failed = objects == NULL;
    while (!failed && json.at < json.end) {
        made = line_object(plan, &json, arguments[2]);
        failed = made == NULL || PyList_Append(objects, made) < 0;
        Py_XDECREF(made);
    }
    PyBuffer_Release(&text);
    if (failed)
        Py_CLEAR(objects);
    return objects;
}
