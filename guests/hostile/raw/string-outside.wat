;; A step's name that begins beyond the end of memory.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (import "host" "begin" (func $begin (param i32 i32 i32 i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param $payload i32) (param i32) (param i64) (param i32 i32 i32 i32) (param $step i32) (result i32)
    (call $begin (local.get $step) (i32.const -65536) (i32.const 16) (i32.const 2048))
    (call $drop-step (local.get $step))
    (i32.const 16)))
