;; Declares a table of ten million elements.
(core module $attack
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (table 10000000 funcref)
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32 i32) (result i32) (i32.const 16)))
