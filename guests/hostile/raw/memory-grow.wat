;; Requests memory, page after page, until none is left.
(core module $attack
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))

  (export "realloc" (func $realloc))
  (export "post" (func $post))
  (func (export "run") (param $payload i32) (param i32) (param i64) (param i32 i32 i32 i32) (param $step i32) (result i32)
    (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (unreachable)))
