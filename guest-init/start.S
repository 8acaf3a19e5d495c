/* SPDX-License-Identifier: Apache-2.0 */
/* start - the kernel's entry: align the stack as the ABI wants it and run init_main(). */
	.text
	.globl	_start
	.type	_start, @function
_start:
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	init_main
	hlt
	.size	_start, . - _start
	.section .note.GNU-stack, "", @progbits
