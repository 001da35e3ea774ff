/* What the files of the native part share. Nothing here knows a repository, nor Python's own objects
 * but where that is said. */

#ifndef EVGIT_NATIVE_H
#define EVGIT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>

#endif
