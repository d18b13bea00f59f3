;; Calls through a table a function of another type.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (table 1 funcref)
  (type $other (func (param i64 i64) (result i64)))
  (elem (i32.const 0) $post)
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param $payload i32) (param i32) (param i64) (param i32 i32 i32 i32) (param $step i32) (result i32)
    (drop (call_indirect (type $other) (i64.const 0) (i64.const 0) (i32.const 0)))
    (unreachable)))
