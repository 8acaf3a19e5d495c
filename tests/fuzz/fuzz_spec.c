/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_spec - any bytes as config.json, process.json and resources.json. */
#include <stddef.h>
#include <stdint.h>

#include "oci/spec_check.h"
#include "oci/spec_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct spec_warnings warnings = { 0 };
	struct oci_spec *spec = NULL;
	struct oci_process *process = NULL;
	struct oci_resources *resources = NULL;
	const char *text = (const char *)data;
	struct err e = { 0 };
	int r = 0;

	if (spec_parse(text, n, &spec, &e) == 0)
		r |= spec_check(spec, &warnings, &e);
	if (process_parse(text, n, &process, &e) == 0)
		r |= process_check(process, &warnings, &e);
	if (resources_parse(text, n, &resources, &e) == 0)
		r |= resources_check(resources, &e);
	oci_spec_free(spec);
	oci_process_free(process);
	oci_resources_free(resources);
	return r > 0 ? -1 : 0; /* results are 0 or negative */
}
