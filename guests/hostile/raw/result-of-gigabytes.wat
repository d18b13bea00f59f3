;; A result with a declared length of four gigabytes.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (data (i32.const 1024) "\00\00\00\00\00\00\00\00\ff\ff\ff\ff")
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param $payload i32) (param i32) (param i64) (param i32 i32 i32 i32) (param $step i32) (result i32)
    (call $drop-step (local.get $step))
    (i32.const 1024)))
