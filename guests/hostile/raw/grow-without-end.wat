;; Requests memory for ever and ignores refusals, which costs almost no fuel.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32 i32) (result i32)
    (loop $more
      (drop (memory.grow (i32.const 0)))
      (drop (memory.grow (i32.const 65535)))
      (br $more))
    (unreachable)))
