const evil = () => { throw new Error('evil'); };
for (const [object, names] of [[Map.prototype, ['get', 'set', 'delete', 'forEach', 'has']], [JSON, ['parse', 'stringify']],
  [Promise.prototype, ['then', 'catch', 'finally']], [Object, ['keys', 'create', 'defineProperty', 'getPrototypeOf']],
  [String.prototype, ['slice', 'trim', 'toWellFormed']], [RegExp.prototype, ['exec', 'test']], [Array, ['isArray']],
  [Array.prototype, ['push', 'shift', 'map', 'sort']], [Number, ['isFinite']], [Date.prototype, ['getTime', 'toISOString']]])
  for (const name of names) object[name] = evil;
Array.prototype[Symbol.iterator] = evil;
Object.prototype.toJSON = () => 'forged';
Array.prototype.toJSON = () => 'forged';
Reflect.defineProperty(Array.prototype, 0, { set: evil });
