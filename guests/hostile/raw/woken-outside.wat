;; Has the host write the result of a wait outside its memory.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "start-sleep" (func $sleep (param i32 i32 i32 i32 i64 i32)))
  (import "host" "first" (func $first (param i32 i32 i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))

  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param $payload i32) (param i32) (param i64) (param i32 i32 i32 i32) (param $step i32) (result i32)
    (call $sleep (local.get $step) (i32.const 256) (i32.const 4) (i32.const 0) (i64.const 0) (i32.const 1024))
    (i32.store (i32.const 1040) (i32.load (i32.const 1028)))
    (call $first (i32.const 1040) (i32.const 1) (i32.const 131064))
    (call $drop-step (local.get $step))
    (i32.const 16)))
