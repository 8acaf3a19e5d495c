// SPDX-License-Identifier: Apache-2.0

// Package tap writes the Test Anything Protocol: as much of it as runtime-tools' validation calls. The package that
// those tests name, github.com/mndrix/tap-go, is not in Debian; this one takes its place when they are built.
package tap

import (
	"encoding/json"
	"fmt"
	"strings"
)

// T is one stream of tests on standard output.
type T struct {
	n    *int
	todo bool
}

// New starts a stream.
func New() *T { return &T{n: new(int)} }

// Todo gives the same stream; what fails through it is known not to work yet.
func (t *T) Todo() *T { return &T{n: t.n, todo: true} }

// Header writes the version and, where it is known, the number of tests.
func (t *T) Header(tests int) {
	fmt.Println("TAP version 13")
	if tests > 0 {
		fmt.Printf("1..%d\n", tests)
	}
}

// AutoPlan writes the number of tests that there were.
func (t *T) AutoPlan() { fmt.Printf("1..%d\n", *t.n) }

// Ok writes the result of one test.
func (t *T) Ok(good bool, text string) {
	*t.n++
	word := "not ok"
	if good {
		word = "ok"
	}
	if t.todo {
		text = "# TODO " + text
	}
	fmt.Printf("%s %d - %s\n", word, *t.n, strings.ReplaceAll(text, "\n", " "))
}

// Pass writes a test that is good.
func (t *T) Pass(text string) { t.Ok(true, text) }

// Fail writes a test that is not.
func (t *T) Fail(text string) { t.Ok(false, text) }

// Skip writes tests that were not made.
func (t *T) Skip(count int, why string) {
	for i := 0; i < count; i++ {
		*t.n++
		fmt.Printf("ok %d # SKIP %s\n", *t.n, why)
	}
}

// Diagnostic writes what helps to understand.
func (t *T) Diagnostic(text string) {
	fmt.Println("# " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n# "))
}

// Diagnosticf is Diagnostic with a format.
func (t *T) Diagnosticf(format string, args ...interface{}) { t.Diagnostic(fmt.Sprintf(format, args...)) }

// YAML writes what belongs to the last test. JSON is YAML too.
func (t *T) YAML(about interface{}) error {
	text, err := json.Marshal(about)
	if err == nil {
		fmt.Printf("  ---\n  %s\n  ...\n", text)
	}
	return err
}
