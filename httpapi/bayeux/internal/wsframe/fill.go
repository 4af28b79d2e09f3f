package wsframe
