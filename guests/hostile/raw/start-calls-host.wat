;; Begins a step with a guessed handle before `run` is called.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "begin" (func $begin (param i32 i32 i32 i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func $start (call $begin (i32.const 1) (i32.const 64) (i32.const 4) (i32.const 2048)))
  (start $start)
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32 i32) (result i32) (i32.const 16)))
