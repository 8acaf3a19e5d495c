/* SPDX-License-Identifier: Apache-2.0 */
/* cap_names - the capabilities of capabilities(7) by name and number. */
#ifndef OCI_CAP_NAMES_H
#define OCI_CAP_NAMES_H

#define CAP_NAMES_COUNT 41

/* Return: the number of "CAP_KILL" in any case (as crun), -1 for a name that is none. */
int cap_number(const char *name);
/* Return: "CAP_KILL" for 5; NULL from CAP_NAMES_COUNT on. */
const char *cap_name(unsigned int number);

#endif
